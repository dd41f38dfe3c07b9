//! The command line against its golden texts in `tests/cmd`. `TRYCMD=overwrite cargo test --test cli` writes them anew: read the difference.

#[test]
fn help_and_usage_errors_read_as_agreed() {
    trycmd::TestCases::new().env("COLUMNS", "120").env("NO_COLOR", "1").case("tests/cmd/*.toml").case("tests/cmd/*.trycmd");
}
