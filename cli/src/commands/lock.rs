//! `kpkg lock`: the images of a chart, pinned to digests.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use kpkg_registry::Client;

use super::{images, package};
use crate::lock::{self, Lock};
use crate::printer::Printer;
use crate::publish::ChartArgs;
use crate::render::ValuesArgs;
use crate::runtime;

/// Pin the images of a chart to digests
///
/// Registries are asked for the digest of each image. `kpkg template --lock FILE` and
/// `kpkg install --lock FILE` then use these digests, and refuse images that the file does not name.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The chart, as for `kpkg install`
    chart: String,

    /// File to write
    #[arg(short, long, value_name = "FILE", default_value = "images.lock")]
    output: PathBuf,

    #[command(flatten)]
    values: ValuesArgs,

    #[command(flatten)]
    elsewhere: ChartArgs,
}

/// Asks, and writes.
pub(crate) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    let rendered = images::rendered(&args.chart, &args.values, &args.elsewhere)?;
    let client = args.elsewhere.client()?;
    let mut lock = Lock::default();
    runtime::runtime()?.block_on(async {
        for image in lock::images(&rendered) {
            if !image.contains("@sha256:") {
                let pinned = pin(&client, &image).await.with_context(|| format!("cannot pin `{image}`"))?;
                lock.images.insert(image, pinned);
            }
        }
        anyhow::Ok(())
    })?;
    package::write(&args.output, lock.to_yaml().as_bytes())?;
    printer.say(&format!("pinned {} images in {}", lock.images.len(), args.output.display()));
    Ok(ExitCode::SUCCESS)
}

/// `registry/repository@digest` of an image's name.
async fn pin(client: &Client, image: &str) -> Result<String> {
    let reference = full_name(image).parse::<kpkg_registry::Reference>()?;
    let (_, digest) = client.registry(&reference.host).await?.manifest(&reference).await?;
    Ok(format!("{}@{digest}", reference.place()))
}

/// An image's name as Docker completes it.
fn full_name(image: &str) -> String {
    let first = image.split('/').next().unwrap_or_default();
    let has_host = image.contains('/') && (first.contains(['.', ':']) || first == "localhost");
    let name = match (has_host, image.contains('/')) {
        (true, _) => image.to_owned(),
        (false, true) => format!("docker.io/{image}"),
        (false, false) => format!("docker.io/library/{image}"),
    };
    let tagged = name.rsplit('/').next().unwrap_or_default().contains(':');
    if tagged { format!("oci://{name}") } else { format!("oci://{name}:latest") }
}

#[cfg(test)]
mod tests {
    use super::full_name;

    #[test]
    fn names_are_completed_as_docker_does() {
        for (image, want) in [
            ("nginx", "oci://docker.io/library/nginx:latest"),
            ("bitnami/redis:7", "oci://docker.io/bitnami/redis:7"),
            ("quay.io/a/b", "oci://quay.io/a/b:latest"),
            ("localhost:5000/a:1", "oci://localhost:5000/a:1"),
        ] {
            assert_eq!(full_name(image), want);
        }
    }
}
