//! Each rule has its runbook, and each runbook its rule.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use pathstats_model::alerts::rules::RuleSet;

#[test]
fn each_rule_has_its_runbook_and_each_runbook_its_rule() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let rules: BTreeSet<String> = RuleSet::built_in().rules().iter().map(|rule| rule.name.clone()).collect();
    let files = fs::read_dir(docs.join("runbooks")).unwrap().map(|entry| entry.unwrap().file_name());
    let runbooks: BTreeSet<String> =
        files.filter_map(|name| Some(name.to_str()?.strip_suffix(".md")?.to_owned())).collect();
    assert_eq!(rules, runbooks);
    let listed = fs::read_to_string(docs.join("alerts.md")).unwrap();
    for rule in rules {
        let text = fs::read_to_string(docs.join(format!("runbooks/{rule}.md"))).unwrap();
        for part in
            [format!("Alert `{rule}`."), "## Look".to_owned(), "## Do".to_owned(), "## Over".to_owned()]
        {
            assert!(text.contains(&part), "{rule}: {part}");
        }
        assert!(listed.contains(&format!("(runbooks/{rule}.md)")), "{rule} in docs/alerts.md");
    }
}
