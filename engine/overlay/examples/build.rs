//! Builds a folder: `cargo run -p kpkg-overlay --example build -- DIR`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example")]

fn main() -> std::process::ExitCode {
    let mut unrestricted = false;
    let mut folder = ".".to_owned();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--load-restrictor" => unrestricted = arguments.next().as_deref() == Some("LoadRestrictionsNone"),
            other => folder = other.to_owned(),
        }
    }
    let mut options = kpkg_overlay::Options::default();
    options.unrestricted = unrestricted;
    let text = kpkg_overlay::build(&folder, &options).and_then(|built| built.text());
    match text {
        Ok(text) => {
            print!("{text}");
            std::process::ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("Error: {}", error.chain());
            std::process::ExitCode::FAILURE
        }
    }
}
