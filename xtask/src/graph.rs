//! The part of `cargo metadata` that the arrow rules look at.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context as _;
use cargo_metadata::{CargoOpt, DependencyKind, MetadataCommand};

/// Why one package depends on another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Normal,
    Build,
    Dev,
}

/// A dependency of the package that holds it; `to` is a key of [`Graph::packages`].
#[derive(Clone, Debug)]
pub(crate) struct Arrow {
    pub(crate) to: String,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Whether it belongs to this workspace.
    pub(crate) member: bool,
    pub(crate) arrows: Vec<Arrow>,
}

/// Packages by id. Ids, not names: two versions of one package may be in the graph.
#[derive(Clone, Debug, Default)]
pub(crate) struct Graph {
    pub(crate) packages: BTreeMap<String, Package>,
}

impl Graph {
    /// Reads the graph of the workspace at `root` with every feature on, so that an optional
    /// dependency is an arrow too.
    pub(crate) fn read(root: &Path) -> anyhow::Result<Self> {
        let metadata = MetadataCommand::new()
            .manifest_path(root.join("Cargo.toml"))
            .features(CargoOpt::AllFeatures)
            .exec()
            .context("cargo metadata")?;
        let resolve = metadata
            .resolve
            .as_ref()
            .context("cargo metadata resolved nothing")?;
        let mut graph = Self::default();
        for package in &metadata.packages {
            graph.packages.insert(
                package.id.repr.clone(),
                Package {
                    name: package.name.to_string(),
                    member: metadata.workspace_members.contains(&package.id),
                    arrows: Vec::new(),
                },
            );
        }
        for node in &resolve.nodes {
            let package = graph
                .packages
                .get_mut(&node.id.repr)
                .context("a node without package")?;
            for dependency in &node.deps {
                for info in &dependency.dep_kinds {
                    let to = dependency.pkg.repr.clone();
                    package.arrows.push(Arrow {
                        to,
                        kind: kind(info.kind)?,
                    });
                }
            }
        }
        Ok(graph)
    }

    /// The workspace's own packages, in the order of their ids.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.values().filter(|package| package.member)
    }

    /// The package an arrow points to, if the graph is whole.
    pub(crate) fn target(&self, arrow: &Arrow) -> Option<&Package> {
        self.packages.get(&arrow.to)
    }
}

fn kind(kind: DependencyKind) -> anyhow::Result<Kind> {
    match kind {
        DependencyKind::Normal => Ok(Kind::Normal),
        DependencyKind::Build => Ok(Kind::Build),
        DependencyKind::Development => Ok(Kind::Dev),
        DependencyKind::Unknown => anyhow::bail!("cargo metadata names an unknown dependency kind"),
    }
}
