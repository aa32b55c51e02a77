//! Chores of this workspace. `cargo xtask` lists them; `.ci/run` calls the same ones.

#![expect(clippy::print_stderr, clippy::print_stdout, reason = "chores talk to whoever runs them")]

mod advisories;
mod checks;
mod demo;
mod fuzz;
mod helm;
mod kustomize;
mod packages;
mod publish;
mod release;
mod schema;
mod shell;
mod test;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask demo            install what is needed, build kpkg, run `kpkg install wordpress`
cargo xtask test [FILTER]   install what the tests need and run them all (or those named)
cargo xtask check           formatting, clippy, documentation, house rules
cargo xtask bench           the benchmarks; prints ratios and rates
cargo xtask bench releases [--charts DIR]  kpkg against the real Helm on one cluster: install, upgrade, rollback
cargo xtask bench template [--charts DIR]  `kpkg template` against the real Helm and its engine
cargo xtask parity helm --charts DIR       every chart below DIR, rendered by kpkg and by the real Helm engine
cargo xtask bench build [--trees DIR]      `kpkg build` against the real Kustomize
cargo xtask bench publish                  pulls, large indexes, many dependencies, against the real Helm
cargo xtask parity kustomize [DIR]         recorded cases, or every kustomization below DIR, built by kpkg and by Kustomize
cargo xtask fuzz SECONDS    each fuzz target for so long (needs a nightly compiler and cargo-fuzz)
cargo xtask release         build kpkg as it is released: twice, arranged by what runs
cargo xtask schema [--check]  regenerate cluster/api's schema table (or check that it is fresh)";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match args.as_slice() {
        ["demo"] => demo::run(),
        ["test", filter @ ..] => test::run(filter),
        ["check"] => checks::run(),
        ["bench"] => test::bench(&[]),
        ["bench", "releases"] => test::bench(&["releases".into()]),
        ["bench", "releases", "--charts", charts] => test::bench_releases(charts),
        ["bench", "template"] => helm::bench("charts"),
        ["bench", "template", "--charts", charts] => helm::bench(charts),
        ["parity", "helm", "--charts", charts] => helm::parity(charts),
        ["bench", "build"] => kustomize::bench(None),
        ["bench", "build", "--trees", trees] => kustomize::bench(Some(trees)),
        ["bench", "publish"] => publish::bench(),
        ["parity", "kustomize"] => kustomize::parity_of_cases(),
        ["parity", "kustomize", folder] => kustomize::parity(folder),
        ["fuzz", seconds] => fuzz::run(seconds),
        ["release"] => release::build().map(|kpkg| println!("{}", kpkg.display())),
        ["schema"] => schema::run(false),
        ["schema", "--check"] => schema::run(true),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
