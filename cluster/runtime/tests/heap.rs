//! The heap on large pages. It is the main thread's, and tests run on others: so this has a `main` of its own, which
//! takes memory before they start.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

/// What `/proc/self/smaps` calls memory that is to stand on large pages.
const LARGE: &str = "hg";

fn main() -> ExitCode {
    let before = vec![7_u8; 100_000];
    kpkg_runtime::heap::use_large_pages();
    let after = vec![7_u8; 3 << 20];
    let flags = flags_at(after[after.len() / 2..].as_ptr().addr());
    let is_kept = before.iter().all(|byte| *byte == 7);
    let tests = vec![
        Trial::test("what_is_taken_then_is_on_large_pages", move || {
            let has_large_pages = Path::new("/sys/kernel/mm/transparent_hugepage").exists();
            assert_eq!(flags.split(' ').any(|flag| flag == LARGE), has_large_pages, "{flags:?}");
            Ok(())
        }),
        Trial::test("what_was_taken_before_is_kept", move || is_kept.then_some(()).ok_or("it changed".into())),
    ];
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}

/// The flags of the mapping that holds an address.
fn flags_at(address: usize) -> String {
    let smaps = fs::read_to_string("/proc/self/smaps").unwrap_or_default();
    let mut is_inside = false;
    for line in smaps.lines() {
        if let Some((start, end)) = line.split(' ').next().and_then(|range| range.split_once('-')) {
            let ends = (usize::from_str_radix(start, 16), usize::from_str_radix(end, 16));
            if let (Ok(start), Ok(end)) = ends {
                is_inside = (start..end).contains(&address);
            }
        } else if let Some(flags) = line.strip_prefix("VmFlags:").filter(|_| is_inside) {
            return flags.trim().to_owned();
        }
    }
    String::new()
}
