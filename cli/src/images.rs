//! The images of a release on the embedded cluster: at hand, pulled, or built from the chart's recipes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use kpkg_chart::{Chart, File};
use kpkg_release::Desired;
use kpkg_runtime::build::{self, Recipe};
use kpkg_runtime::image::{Image, ImageName, ImageStore, PullOptions};
use serde_json::Value;

use crate::commands::image::show;
use crate::failure::Hint;
use crate::progress::Live;

/// Where images come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Source {
    /// Pull; what cannot be pulled and has a recipe is built.
    #[default]
    Auto,
    /// Pull only.
    Pull,
    /// Build whatever has a recipe, pull the rest.
    Build,
}

/// Opens the store at `root`; who may not is told what would help.
pub(crate) fn open(root: &Path) -> Result<ImageStore> {
    ImageStore::open(root).map_err(|error| {
        let error = anyhow::Error::new(error);
        let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
        let denied = causes.any(|cause| cause.kind() == std::io::ErrorKind::PermissionDenied);
        let error = error.context(format!("cannot open the image store {}", root.display()));
        if denied {
            error.context(Hint("run this as root, or name a folder of your own with --data-dir".to_owned()))
        } else {
            error
        }
    })
}

/// Sees to it that every image of `desired` is in the store at `root`, as far as that can be done
/// here; what is left over the cluster tries itself and reports.
pub(crate) async fn provide(
    root: PathBuf,
    desired: &Desired,
    chart: &Chart,
    source: Source,
    live: &Live,
) -> Result<()> {
    let wanted: Vec<String> = references(desired).into_iter().collect();
    provide_all(root, &wanted, chart, source, live).await
}

/// As [`provide`], for images by name.
pub(crate) async fn provide_all(
    root: PathBuf,
    wanted: &[String],
    chart: &Chart,
    source: Source,
    live: &Live,
) -> Result<()> {
    let store = open(&root)?;
    let recipes = recipes(chart)?;
    for reference in wanted {
        if store.resolve(reference)?.is_some() {
            continue;
        }
        let recipe = recipes.iter().find(|(recipe, _)| is_for(recipe, reference));
        if source != Source::Build || recipe.is_none() {
            match pull(&store, reference, live).await {
                Ok(()) => continue,
                Err(error) if recipe.is_none() || source == Source::Pull => {
                    live.say(&format!("cannot pull {reference} yet ({error:#}); the cluster will go on trying"));
                    continue;
                }
                Err(_) => live
                    .say(&format!("no registry has {reference} for us: building it from the distribution's packages")),
            }
        }
        if let Some((recipe, files)) = recipe {
            make(&store, recipe, files, reference, live).await?;
        }
    }
    Ok(())
}

/// Pulls `reference` and says so.
async fn pull(store: &ImageStore, reference: &str, live: &Live) -> Result<()> {
    store
        .pull(reference, &PullOptions::default(), &|event| show(live, &format!("pulling {reference}"), &event))
        .await?;
    live.say(&format!("pulled {reference}"));
    Ok(())
}

/// Builds `recipe` as `reference`.
pub(crate) async fn make(
    store: &ImageStore,
    recipe: &Recipe,
    files: &[File],
    reference: &str,
    live: &Live,
) -> Result<Image> {
    live.now(&format!("building {reference}"));
    let read = |path: &str| {
        let found = files.iter().find(|file| file.name == path);
        found.map(|file| file.data().to_vec()).ok_or_else(|| std::io::ErrorKind::NotFound.into())
    };
    let progress = |step: &str| live.tick(&format!("building {reference}: {step}"));
    let built = build::build(store, recipe, reference, &read, &progress).await;
    let image = built.with_context(|| format!("cannot build {reference}"))?;
    live.say(&format!("built {reference}"));
    Ok(image)
}

/// The recipes of a chart and its subcharts, each with the files beside it under their names
/// relative to the recipe's folder.
fn recipes(chart: &Chart) -> Result<Vec<(Recipe, Vec<File>)>> {
    let mut found = Vec::new();
    for file in &chart.files {
        let is_recipe =
            file.name.strip_prefix("images/").is_some_and(|name| !name.contains('/') && name.ends_with(".yaml"));
        if is_recipe {
            let recipe = Recipe::parse(&file.text()).with_context(|| format!("{}/{}", chart.name(), file.name))?;
            let beside = chart
                .files
                .iter()
                .filter_map(|other| Some(File::new(other.name.strip_prefix("images/")?, other.data())));
            found.push((recipe, beside.collect()));
        }
    }
    for dependency in &chart.dependencies {
        found.extend(recipes(dependency)?);
    }
    Ok(found)
}

/// Whether a recipe stands for an image, whatever its tag.
fn is_for(recipe: &Recipe, reference: &str) -> bool {
    let repository = |text: &str| text.parse::<ImageName>().ok().map(|name| name.familiar_repository());
    repository(reference).is_some_and(|wanted| repository(&recipe.image) == Some(wanted))
}

/// The images that the objects' pods use, in order of name.
fn references(desired: &Desired) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let hooks = desired.hooks.iter().map(|(_, object)| object);
    for object in desired.objects.iter().chain(hooks) {
        for pod in ["/spec", "/spec/template/spec", "/spec/jobTemplate/spec/template/spec"] {
            for list in ["initContainers", "containers"] {
                let containers = object.value.pointer(&format!("{pod}/{list}")).and_then(Value::as_array);
                found.extend(containers.into_iter().flatten().filter_map(|it| it["image"].as_str()).map(str::to_owned));
            }
        }
    }
    found
}

/// Reads a recipe and the files that it names from a folder.
pub(crate) fn read_recipe(path: &std::path::Path) -> Result<(Recipe, Vec<File>)> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let recipe = Recipe::parse(&text).with_context(|| path.display().to_string())?;
    let folder = path.parent().unwrap_or(std::path::Path::new("."));
    let mut files = Vec::new();
    for source in recipe.files.iter().filter_map(|file| file.source.as_ref()) {
        if source.starts_with('/') || source.split('/').any(|part| part == "..") {
            bail!("{}: the source `{source}` leads out of the recipe's folder", path.display());
        }
        let file = folder.join(source);
        let bytes = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        files.push(File::new(source.clone(), bytes));
    }
    Ok((recipe, files))
}
