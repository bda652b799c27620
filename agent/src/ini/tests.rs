use super::*;
use proptest::prelude::*;

fn value(text: &str) -> Option<String> {
    let text = format!("[GLOBAL]\nK = {text}\n");
    let document = parse(&text);
    document.sections[0].get("K").map(|entry| entry.value.clone().into_owned())
}

#[expect(clippy::unnecessary_wraps, reason = "it is compared with what may be absent")]
fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn sections_repeat_and_keep_their_lines() {
    let document = parse("# head\n[GLOBAL]\nGROUP = a\n\n[SVRNODE]\r\nNAME=h1\r\n[SVRNODE]\nNAME = h2");
    let seen: Vec<_> = document.sections.iter().map(|s| (s.kind, s.line, s.entries.len())).collect();
    assert_eq!(seen, [(Kind::Global, 2, 1), (Kind::Server, 5, 1), (Kind::Server, 7, 1)]);
    assert_eq!(document.sections[1].get("NAME").unwrap().line, 6);
    assert_eq!(document.problems, []);
}

#[test]
fn section_names_are_exact() {
    for (text, kind) in [
        ("[GLOBAL]", Kind::Global),
        ("  [GLOBAL]\t", Kind::Global),
        ("[global]", Kind::Other),
        ("[ GLOBAL ]", Kind::Other),
        ("[K2HDKC]", Kind::K2hdkc),
        ("[K2HTPDTOR]", Kind::Other),
    ] {
        let document = parse(text);
        assert_eq!(document.sections[0].kind, kind, "{text}");
        assert_eq!(document.problems.len(), usize::from(kind == Kind::Other && text != "[K2HTPDTOR]"));
    }
    assert_eq!(parse("[GLOBAL] # x").sections, []);
    assert_eq!(parse("\u{feff}[GLOBAL]\nGROUP=a").sections, [], "a byte order mark hides the section");
}

#[test]
fn comments_start_at_the_line_or_behind_a_blank() {
    assert_eq!(value("LAB # c"), some("LAB"));
    assert_eq!(value("LAB#c"), some("LAB#c"));
    assert_eq!(value("LAB ; c"), some("LAB ; c"));
    assert_eq!(value("'a # b'"), some("a # b"));
    assert_eq!(value(""), some(""));
    assert_eq!(value("# c"), some("# c"), "chmpx looks at the trimmed value: no blank before");
}

#[test]
fn quotes_and_escapes_are_chmpx_s() {
    for (text, read) in [
        ("'it''s'", some("its")),
        ("'a\\b'", some("a\\b")),
        ("\"a\\\"b\"", some("a\"b")),
        ("\"a\\\\b\"", some("a\\b")),
        ("\"a\\nb\"", some("a\\nb")),
        ("a\\b", some("ab")),
        ("a\\\\b", some("a\\b")),
        ("a\\'b", some("a'b")),
        ("a=b=c", some("a=b=c")),
        ("\" x \"", some("x")),
        ("'open", None),
        ("\"open", None),
        ("end\\", None),
    ] {
        assert_eq!(value(text), read, "{text}");
    }
}

#[test]
fn k2hdkc_has_rules_of_its_own() {
    let document = parse("[K2HDKC]\nk2hType = file # x\nPASSPHRASES = a'b\nK2HFILE=/x#y\n");
    let read: Vec<_> = document.sections[0].entries.iter().map(|e| (&*e.key, &*e.value)).collect();
    assert_eq!(read, [("K2HTYPE", "file"), ("PASSPHRASES", "a'b"), ("K2HFILE", "/x")]);
}

#[test]
fn what_chmpx_drops_is_told_with_its_line() {
    let document = parse("lost\n[GLOBAL]\nA = 'x\n= y\nB = a\u{1}b\n");
    let told: Vec<_> = document.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "line 1: text before the first section is ignored",
            "line 3: A has a quote that is not closed, or ends in a backslash: chmpx drops the key",
            "line 4: a value without a key is dropped",
            "line 5: a control character",
        ]
    );
}

#[test]
fn a_byte_order_mark_is_told_and_hides_its_line_from_chmpx() {
    let document = parse("\u{feff}[GLOBAL]\nA = b\n");
    assert_eq!(document.sections, []);
    assert_eq!(
        document.problems[0].to_string(),
        "line 1: a byte order mark (U+FEFF) stands before the line: chmpx does not know \"[GLOBAL]\" behind it; \
         save the file without one"
    );
    assert!(document.problems[0].forbids());
    assert!(!parse("\u{feff}# head\n[GLOBAL]\n").problems[0].forbids());
}

proptest! {
    #[test]
    fn what_quote_writes_is_read_back_unchanged(text in "[ -~äあ]{0,40}") {
        if let Some(written) = quote(&text) {
            prop_assert_eq!(value(&written), Some(text));
        } else {
            prop_assert!(text.starts_with(' ') || text.ends_with(' '));
        }
    }

    #[test]
    fn any_text_is_read_without_a_panic_and_within_its_lines(text in "(?s).{0,200}") {
        let document = parse(&text);
        let lines = text.split('\n').count();
        prop_assert!(document.sections.iter().flat_map(|s| &s.entries).all(|e| e.line <= lines));
    }

    /// rust-ini knows another dialect; on the part both share (bare values, unique keys, no `#`, `;`, quotes
    /// or backslashes) the two must read the same sections, in the same order, repeated ones included.
    #[test]
    fn rust_ini_reads_the_common_dialect_alike(
        sections in proptest::collection::vec(
            ("(GLOBAL|SVRNODE|SLVNODE|OTHER)",
             proptest::collection::btree_map("[A-Z][A-Z0-9_]{0,8}", "[a-z0-9./,-]{1,12}", 1..5)),
            1..8,
        )
    ) {
        let text: String = sections
            .iter()
            .map(|(name, keys)| {
                let keys: String = keys.iter().map(|(k, v)| format!("{k} = {v}\n")).collect();
                format!("[{name}]\n{keys}")
            })
            .collect();
        let ours: Vec<(String, Vec<(String, String)>)> = parse(&text)
            .sections
            .into_iter()
            .map(|s| {
                let entries = s.entries.into_iter().map(|e| (e.key.into_owned(), e.value.into_owned()));
                (s.name.to_owned(), entries.collect())
            })
            .collect();
        let oracle = ini::Ini::load_from_str(&text).unwrap();
        let names: Vec<&str> = sections.iter().map(|(name, _)| name.as_str()).collect();
        prop_assert_eq!(ours.iter().map(|(n, _)| n.as_str()).collect::<Vec<_>>(), names);
        for name in ["GLOBAL", "SVRNODE", "SLVNODE", "OTHER"] {
            let theirs: Vec<Vec<(String, String)>> = oracle
                .section_all(Some(name))
                .map(|p| p.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect())
                .collect();
            let mine: Vec<_> = ours.iter().filter(|(n, _)| n == name).map(|(_, e)| e.clone()).collect();
            prop_assert_eq!(mine, theirs);
        }
    }
}
