use serde_json::Value;

use super::fleet::RawFleet;

/// The JSON Schema (draft 2020-12) of `fleet.yaml`, for completion and checks in editors.
///
/// It is made from the structs that the loader reads. It knows the shape of every value; what needs a look at several
/// keys or at other files is found by the loader alone.
#[must_use]
pub fn schema() -> Value {
    schemars::schema_for!(RawFleet).to_value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::service::RawService;

    #[test]
    fn the_keys_of_a_service_are_those_of_its_schema() {
        let schema = schema();
        let properties = schema["$defs"]["Service"]["properties"].as_object().unwrap();
        assert_eq!(properties.keys().collect::<Vec<_>>(), RawService::KEYS);
    }
}
