//! The examples of README.md and docs/: every block marked `sh` runs as it stands.

use std::path::Path;

use kpkg_tests::{Machine, images};

use crate::publish;

/// The commands of a page's `sh` blocks, in order.
fn examples(page: &Path) -> String {
    let text = std::fs::read_to_string(page).expect("the page can be read");
    let mut script = String::new();
    let mut inside = false;
    for line in text.lines() {
        match line {
            "```sh" => inside = true,
            "```" => inside = false,
            line if inside => script.extend([line, "\n"]),
            _ => {}
        }
    }
    script
}

#[test]
fn examples_run_as_they_stand() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut pages: Vec<_> = std::fs::read_dir(root.join("docs"))
        .expect("docs is a folder")
        .map(|entry| entry.expect("docs can be listed").path())
        .filter(|path| path.extension().is_some_and(|it| it == "md"))
        .chain([root.join("README.md")])
        .collect();
    pages.sort();
    let machine = Machine::new();
    let mut run = 0;
    for page in pages {
        let script = examples(&page);
        if script.is_empty() {
            continue;
        }
        run += 1;
        // A page deletes its cluster at its end, and the images with it.
        let wanted = images::BUNDLED.iter().filter(|_| script.contains("wordpress"));
        for (chart, reference) in wanted {
            machine.kpkg(&["image", "load", &images::bundled(chart, reference).display().to_string()]).ok();
        }
        if script.contains(publish::REGISTRY) {
            publish::registry(&machine, "");
        }
        let work = machine.dir().join(page.file_stem().expect("a page has a name"));
        std::fs::create_dir_all(&work).expect("a folder");
        let ran = machine.shell(&script, &work);
        assert_eq!(ran.code, 0, "{}\n{}\n{}", page.display(), ran.out, ran.err);
        if script.contains(publish::REGISTRY) {
            publish::stop_registry(&machine);
            machine.run("gpgconf", &["--kill", "all"]).ok();
        }
    }
    assert!(run > 0, "no page has an example");
    machine.assert_nothing_left();
}
