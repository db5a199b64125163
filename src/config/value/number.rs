use crate::yaml::Scalar;

/// What Compose makes of an unquoted value where text is wanted: it lets YAML read a number and prints it again
/// (Go's `fmt.Sprint`), so `1.10` becomes `1.1` and `010` becomes `8`.
pub(crate) fn as_compose_prints(scalar: &Scalar) -> Option<String> {
    match scalar {
        Scalar::Null => None,
        Scalar::Bool(value) => Some(value.to_string()),
        Scalar::Int(value) => Some(value.to_string()),
        Scalar::Float(value) => Some(go_float(*value)),
        Scalar::Str(text) => Some(text.clone()),
    }
}

/// Go's `%v` of a float: the shortest digits that read back, with an exponent below 1e-4 and from 1e21 on.
fn go_float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() };
    }
    if value == 0.0 || (1e-4..1e21).contains(&value.abs()) {
        return value.to_string();
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}e{sign}{exponent:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_in_go() {
        for (value, text) in [
            (1.1, "1.1"),
            (1000.0, "1000"),
            (1e21, "1e+21"),
            (1.5e-7, "1.5e-07"),
            (-0.5, "-0.5"),
            (0.0, "0"),
            (1e20, "100000000000000000000"),
        ] {
            assert_eq!(go_float(value), text);
        }
        assert_eq!(go_float(f64::INFINITY), "+Inf");
    }
}
