//! What the pages must hold, whatever the finding.

use squall_reports::html::{failure_page, index_page, page_name};

use crate::common;

#[test]
fn samples() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, finding) in [
        ("stale", common::stale_read()),
        ("lost", common::lost_write()),
        ("panic", common::panicked()),
        ("crowded", common::crowded(1000, 12, 500)),
        ("mid", common::crowded(20, 5, 5)),
    ] {
        std::fs::write(folder.join(format!("{name}.html")), failure_page(&finding)).unwrap();
        println!("{}", page_name(&finding));
    }
    let findings = [common::stale_read(), common::lost_write(), common::panicked()];
    std::fs::write(folder.join("index.html"), index_page(&common::totals(), &findings)).unwrap();
}
