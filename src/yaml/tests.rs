#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

fn tree(text: &str) -> Node {
    parse(text).unwrap().unwrap()
}

fn at(node: &Node) -> (u32, u32) {
    (node.pos.line, node.pos.column)
}

#[test]
fn positions_are_those_of_libyaml() {
    let text = "a:\nb: ~\nc: [x, {y: z, w}]\nd:\n- - 1\n  -\n-\ne: &n !!str v\nf: *n\ng: {h: , i}\n\"j\": |\n  text\nk: &m\n  l: 1\n";
    let root = tree(text);
    assert_eq!(at(&root), (1, 1));
    assert_eq!(at(root.get("a").unwrap()), (1, 3), "an absent value is where the colon ends");
    assert_eq!(at(root.get("b").unwrap()), (2, 4));
    let c = root.get("c").unwrap().as_seq().unwrap();
    assert_eq!(at(&c[0]), (3, 5));
    assert_eq!(at(&c[1]), (3, 8));
    assert_eq!(at(c[1].get("w").unwrap()), (3, 16), "an absent flow value is at the next token");
    let d = root.get("d").unwrap().as_seq().unwrap();
    assert_eq!(at(root.get("d").unwrap()), (5, 1));
    assert_eq!(at(&d[0].as_seq().unwrap()[0]), (5, 5));
    assert_eq!(at(&d[0].as_seq().unwrap()[1]), (6, 4));
    assert_eq!(at(&d[1]), (7, 2));
    assert_eq!(at(root.get("e").unwrap()), (8, 4), "an anchor or tag belongs to its value");
    assert_eq!(at(root.get("f").unwrap()), (9, 4), "an alias is where it stands");
    assert_eq!(root.get("f").unwrap().as_str(), Some("v"));
    assert_eq!(at(root.get("g").unwrap().get("h").unwrap()), (10, 8));
    assert_eq!(at(root.get("g").unwrap().get("i").unwrap()), (10, 11));
    assert_eq!(at(root.get("j").unwrap()), (11, 6));
    assert_eq!(at(root.get("k").unwrap()), (13, 4), "also of a block mapping");
}

#[test]
fn absent_values_are_found_past_comments_and_odd_spacing() {
    let root = tree(
        "a   : # one\n  # two\nb:\n  -   # - three\n# - four\n\n  - # five\nc: {d  : # }\n  , e\n  }\nf: [g: ]\n",
    );
    assert_eq!(at(root.get("a").unwrap()), (1, 6));
    let b = root.get("b").unwrap().as_seq().unwrap();
    assert_eq!((at(&b[0]), at(&b[1])), ((4, 4), (7, 4)));
    let c = root.get("c").unwrap();
    assert_eq!((at(c.get("d").unwrap()), at(c.get("e").unwrap())), ((9, 3), (10, 3)));
    assert_eq!(at(root.get("f").unwrap().as_seq().unwrap()[0].get("g").unwrap()), (11, 8));
}

#[test]
fn an_unindented_sequence_starts_at_its_first_dash() {
    for (text, line) in [
        ("- d:\n  - - 1\n", 2),
        ("- d:\n  -\n  - x\n", 2),
        ("- d: # c\n  # d\n  -   # e\n    - x\n", 3),
        ("- &a\n  d:\n  - x: 1\n", 3),
    ] {
        assert_eq!(at(tree(text).as_seq().unwrap()[0].get("d").unwrap()), (line, 3), "{text}");
    }
    assert_eq!(at(tree("- d:\n    - - 1\n").as_seq().unwrap()[0].get("d").unwrap()), (2, 5));
}

#[test]
fn a_block_scalar_starts_at_its_indicator() {
    let root = tree(
        "'a | b': | # c | d\n\n  text\ne: &f !!str # g\n  >-\n  h\ni:\n- |2+\n    j\n\n- k: |\n  # l\n- |\n",
    );
    assert_eq!(at(root.get("a | b").unwrap()), (1, 10));
    assert_eq!(at(root.get("e").unwrap()), (4, 4));
    let i = root.get("i").unwrap().as_seq().unwrap();
    assert_eq!(at(&i[0]), (8, 3));
    assert_eq!(at(i[1].get("k").unwrap()), (11, 6));
    assert_eq!(at(&i[2]), (13, 3));
    assert_eq!(at(tree("&x a: |\n  b\n").get("a").unwrap()), (1, 7));
    assert_eq!(at(&tree("- - |\n    a\n  - >\n    b\n").as_seq().unwrap()[0].as_seq().unwrap()[1]), (3, 5));
}

#[test]
fn columns_count_characters() {
    assert_eq!(at(tree("{ä: b, c: d}").get("c").unwrap()), (1, 11));
    assert_eq!(at(tree("\u{feff}a: b").get("a").unwrap()), (1, 4));
}

#[test]
fn scalars_mean_what_yaml_v3_says() {
    let int = |text: &str| tree(&format!("- {text}")).as_seq().unwrap()[0].as_i64();
    for text in
        ["420", "0644", "0o644", "0x1a4", "0X1A4", "0b110100100", "0_644", "+420", "420.0", "4.2e2", "420.9"]
    {
        assert_eq!(int(text), Some(420), "{text}");
    }
    assert_eq!(int("0888"), Some(888), "no octal, so a float that looks decimal");
    assert_eq!(int("-0o17"), Some(-15));
    assert_eq!(int("'420'"), None);
    assert_eq!(int("!!int '420'"), Some(420));
    assert_eq!(int("18446744073709551615"), None);
    assert_eq!(int("1:30"), None);
    assert_eq!(int(".inf"), None);
    let bool = |text: &str| tree(&format!("- {text}")).as_seq().unwrap()[0].as_bool();
    assert_eq!(bool("yes"), Some(true));
    assert_eq!(bool("'off'"), Some(false), "yaml.v3 takes the YAML 1.1 words even in quotes");
    assert_eq!(bool("'true'"), None);
    assert_eq!(bool("TRUE"), Some(true));
    assert_eq!(bool("1"), None);
    assert!(parse("!!int x").is_err());
    assert!(tree("- ").as_seq().unwrap()[0].is_null());
    assert!(!tree("- ''").as_seq().unwrap()[0].is_null());
}

#[test]
fn merge_keys_apply_with_their_strengths() {
    let root = tree("x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz: {b: 3, <<: [*y, *x]}\n");
    let z = root.get("z").unwrap();
    assert_eq!(["a", "b", "c"].map(|key| z.get(key).unwrap().as_i64()), [Some(1), Some(3), Some(2)]);
    assert!(z.get("<<").is_none());
    assert!(tree("'<<': 1").get("<<").is_some(), "a quoted << is a key like any other");
    assert_eq!(parse("{<<: 1}").unwrap_err().pos, Pos { line: 1, column: 6 });
}

#[test]
fn the_first_document_counts_and_an_empty_one_is_none() {
    assert_eq!(tree("a: 1\n---\n[").get("a").unwrap().as_i64(), Some(1));
    assert_eq!(parse("").unwrap(), None);
    assert_eq!(parse("# nothing\n").unwrap(), None);
    assert_eq!(tree("a: |\r\n  x\r\n  y\r\n").get("a").unwrap().as_str(), Some("x\ny\n"));
}

#[test]
fn what_is_refused_says_where() {
    let place = |text: &str| {
        let pos = parse(text).unwrap_err().pos;
        (pos.line, pos.column)
    };
    assert_eq!(place("a: 1\nb: 2\na: 3\n"), (3, 1));
    assert_eq!(place("a: *nowhere\n"), (1, 4));
    assert_eq!(place("a: &a [*a]\n"), (1, 8));
    assert_eq!(place("a: b\u{7}\n"), (1, 5));
    assert_eq!(place("a:\n\tb: 1\n"), (2, 2));
    assert_eq!(place("a: b\n: c\n"), (2, 1));
    for (tab, at) in [("a: b\n\t\nc: d\n", (2, 1)), ("-\ta\n", (1, 2)), ("# x\n\t\na: b\n", (2, 1))] {
        assert_eq!(place(tab), at, "{tab:?}");
    }
    for tab in ["a:\tb\t# c\n", "a: [b,\n\tc]\n", "a: b\n \t\nc: d\n", "a: |\n  b\tc\n", "a: \"b\n\tc\"\n"] {
        assert!(parse(tab).is_ok(), "{tab:?}");
    }
    assert_eq!(place("a: \"\\uD83D\\uDE00\"\n"), (1, 4), "surrogates");
    assert!(parse("\"\\\\uD83D \\U0001F600\"").is_ok());
}

#[test]
fn hostile_documents_are_bounded() {
    let mut laughs = "a: &l0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let alias = format!("*l{}", level - 1);
        laughs.push_str(&format!("b{level}: &l{level} [{}]\n", vec![alias; 10].join(", ")));
    }
    assert!(parse(&laughs).unwrap_err().message.contains("aliasing"));
    assert!(parse(&"[".repeat(100_000)).is_err());
    assert!(parse(&"- ".repeat(100_000)).is_err());
    let mut chain = format!("a0: &a0 {}{}\n", "[".repeat(300), "]".repeat(300));
    for level in 1..20 {
        chain.push_str(&format!(
            "a{level}: &a{level} {}*a{}{}\n",
            "[".repeat(300),
            level - 1,
            "]".repeat(300)
        ));
    }
    assert!(parse(&chain).unwrap_err().message.contains("deep"));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[-:\\[\\]{}&*!|>'\"#?%@`a0~ \n\t,.<]{0,80}") {
        let _ = parse(&text);
    }
}
