//! Which crate may depend on which. The rules are the table [`RULES`]; the check is a pure
//! function over a [`Graph`].

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    path::Path,
};

use crate::graph::{Graph, Kind, Package};

/// The crates of this workspace that an arrow may lead to.
#[derive(Clone, Copy, Debug)]
enum Allowed {
    Only(&'static [&'static str]),
    AllExcept(&'static [&'static str]),
}

/// What one crate of the workspace may use.
struct Rule {
    name: &'static str,
    /// In normal and build dependencies.
    uses: Allowed,
    /// In dev-dependencies, besides `uses` and itself.
    tests_use: Allowed,
    /// Whether it is held free of everything in [`OUTSIDE_A_DOMAIN`].
    pure: bool,
}

const NONE: Allowed = Allowed::Only(&[]);

const fn domain(name: &'static str) -> Rule {
    Rule {
        name,
        uses: Allowed::Only(&["kernel"]),
        tests_use: NONE,
        pure: true,
    }
}

/// Every crate of the workspace. `simulation` has its rule before it has its code.
const RULES: &[Rule] = &[
    Rule {
        name: "kernel",
        uses: NONE,
        tests_use: NONE,
        pure: true,
    },
    domain("payment-domain"),
    domain("product-domain"),
    domain("user-domain"),
    domain("webhook-domain"),
    Rule {
        name: "storage",
        uses: Allowed::Only(&[
            "kernel",
            "payment-domain",
            "product-domain",
            "user-domain",
            "webhook-domain",
        ]),
        tests_use: NONE,
        pure: false,
    },
    Rule {
        name: "toss-client",
        uses: NONE,
        tests_use: Allowed::Only(&["toss-sandbox"]),
        pure: false,
    },
    Rule {
        name: "toss-sandbox",
        uses: NONE,
        tests_use: Allowed::Only(&["toss-client"]),
        pure: false,
    },
    Rule {
        name: "api-server",
        uses: Allowed::AllExcept(&["xtask", "simulation"]),
        tests_use: Allowed::AllExcept(&[]),
        pure: false,
    },
    Rule {
        name: "simulation",
        uses: Allowed::AllExcept(&["xtask"]),
        tests_use: Allowed::AllExcept(&["xtask"]),
        pure: false,
    },
    Rule {
        name: "xtask",
        uses: NONE,
        tests_use: NONE,
        pure: false,
    },
];

/// What `kernel` and the domains must not reach, directly or through others: no database, no
/// HTTP server, no HTTP client.
const OUTSIDE_A_DOMAIN: &[&str] = &["diesel", "diesel-async", "actix-web", "reqwest"];

/// The one crate that may name a package whose name begins with `diesel`.
const DIESEL_OWNER: &str = "storage";

/// A broken rule: the arrow (or the path of arrows) and the rule it breaks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    arrow: String,
    rule: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.arrow, self.rule)
    }
}

/// Fails with every violation in the workspace at `root`.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let violations = check(&Graph::read(root)?);
    let lines: Vec<String> = violations.iter().map(ToString::to_string).collect();
    anyhow::ensure!(
        lines.is_empty(),
        "forbidden crate arrows:\n  {}",
        lines.join("\n  ")
    );
    Ok(())
}

/// Every violation of [`RULES`] and of the bans on external crates.
pub(crate) fn check(graph: &Graph) -> Vec<Violation> {
    let mut violations = Vec::new();
    for package in graph.members() {
        if let Some(rule) = RULES.iter().find(|rule| rule.name == package.name) {
            check_arrows(graph, package, rule, &mut violations);
            if rule.pure {
                check_purity(graph, package, &mut violations);
            }
        } else {
            violations.push(Violation {
                arrow: package.name.clone(),
                rule: "a new crate must be listed in RULES (xtask/src/arrows.rs)".to_owned(),
            });
        }
    }
    violations
}

fn check_arrows(graph: &Graph, from: &Package, rule: &Rule, violations: &mut Vec<Violation>) {
    for arrow in &from.arrows {
        let Some(to) = graph.target(arrow) else {
            continue;
        };
        let broken = if to.member {
            let allowed = match arrow.kind {
                Kind::Normal | Kind::Build => rule.uses.permits(&to.name),
                Kind::Dev => {
                    to.name == from.name
                        || rule.uses.permits(&to.name)
                        || rule.tests_use.permits(&to.name)
                }
            };
            (!allowed).then(|| rule.sentence(arrow.kind))
        } else {
            (to.name.starts_with("diesel") && from.name != DIESEL_OWNER)
                .then(|| format!("only {DIESEL_OWNER} knows diesel"))
        };
        if let Some(rule) = broken {
            let arrow = format!("{} → {} ({})", from.name, to.name, arrow.kind);
            violations.push(Violation { arrow, rule });
        }
    }
}

/// Walks normal and build dependencies; breadth first, so the path shown is a shortest one.
fn check_purity(graph: &Graph, from: &Package, violations: &mut Vec<Violation>) {
    let mut paths: BTreeMap<&str, String> = BTreeMap::new();
    let mut queue = VecDeque::from([(from, from.name.clone())]);
    while let Some((package, path)) = queue.pop_front() {
        for arrow in package
            .arrows
            .iter()
            .filter(|arrow| arrow.kind != Kind::Dev)
        {
            let Some(to) = graph.target(arrow) else {
                continue;
            };
            if paths.contains_key(arrow.to.as_str()) {
                continue;
            }
            let path = format!("{path} → {}", to.name);
            if OUTSIDE_A_DOMAIN.contains(&to.name.as_str()) {
                violations.push(Violation {
                    arrow: path.clone(),
                    rule: format!("{} must not reach {}", from.name, to.name),
                });
            }
            paths.insert(&arrow.to, path.clone());
            queue.push_back((to, path));
        }
    }
}

impl Allowed {
    fn permits(self, name: &str) -> bool {
        match self {
            Self::Only(names) => names.contains(&name),
            Self::AllExcept(names) => !names.contains(&name),
        }
    }
}

impl Rule {
    fn sentence(&self, kind: Kind) -> String {
        match kind {
            Kind::Normal | Kind::Build => format!("{} may depend on {}", self.name, self.uses),
            Kind::Dev => format!(
                "tests of {} may depend on {}, besides what {0} itself may: {}",
                self.name, self.tests_use, self.uses
            ),
        }
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Only([]) => f.write_str("no crate of the workspace"),
            Self::Only(names) => write!(f, "only {}", names.join(", ")),
            Self::AllExcept([]) => f.write_str("every crate of the workspace"),
            Self::AllExcept(names) => write!(f, "every crate except {}", names.join(", ")),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Normal => "normal",
            Self::Build => "build",
            Self::Dev => "dev",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Arrow;
    use Kind::{Build, Dev, Normal};

    /// A graph from its arrows. A package is a member if a rule names it or it is `wallet`,
    /// which stands for a crate nobody listed.
    fn graph(arrows: &[(&str, &str, Kind)]) -> Graph {
        let mut graph = Graph::default();
        for &(from, to, kind) in arrows {
            for name in [from, to] {
                graph
                    .packages
                    .entry(name.to_owned())
                    .or_insert_with(|| Package {
                        name: name.to_owned(),
                        member: name == "wallet" || RULES.iter().any(|rule| rule.name == name),
                        arrows: Vec::new(),
                    });
            }
            let package = graph.packages.get_mut(from).unwrap();
            package.arrows.push(Arrow {
                to: to.to_owned(),
                kind,
            });
        }
        graph
    }

    fn lines(arrows: &[(&str, &str, Kind)]) -> Vec<String> {
        check(&graph(arrows))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn the_intended_graph_is_allowed() {
        let allowed = [
            ("kernel", "chrono", Normal),
            ("payment-domain", "kernel", Normal),
            ("payment-domain", "mockall", Normal),
            ("product-domain", "kernel", Normal),
            ("user-domain", "kernel", Normal),
            ("webhook-domain", "kernel", Normal),
            ("storage", "kernel", Normal),
            ("storage", "payment-domain", Normal),
            ("storage", "product-domain", Normal),
            ("storage", "user-domain", Normal),
            ("storage", "webhook-domain", Normal),
            ("storage", "diesel", Normal),
            ("storage", "diesel-async", Normal),
            ("storage", "storage", Dev),
            ("toss-client", "reqwest", Normal),
            ("toss-sandbox", "actix-web", Normal),
            ("toss-sandbox", "toss-client", Dev),
            ("api-server", "storage", Normal),
            ("api-server", "toss-client", Normal),
            ("api-server", "toss-sandbox", Normal),
            ("api-server", "simulation", Dev),
            ("simulation", "api-server", Normal),
            ("xtask", "cargo_metadata", Normal),
        ];
        assert_eq!(lines(&allowed), [] as [&str; 0]);
    }

    #[test]
    fn a_domain_that_uses_another_domain_is_refused_by_name() {
        assert_eq!(
            lines(&[("payment-domain", "product-domain", Normal)]),
            ["payment-domain → product-domain (normal): payment-domain may depend on only kernel"]
        );
    }

    #[test]
    fn a_build_dependency_is_an_arrow_too() {
        assert_eq!(
            lines(&[("toss-client", "kernel", Build)]),
            ["toss-client → kernel (build): toss-client may depend on no crate of the workspace"]
        );
    }

    #[test]
    fn tests_of_a_domain_must_not_use_storage() {
        assert_eq!(lines(&[("user-domain", "storage", Dev)]).len(), 1);
    }

    #[test]
    fn the_sandbox_may_use_the_client_in_tests_only() {
        assert_eq!(
            lines(&[("toss-sandbox", "toss-client", Dev)]),
            [] as [&str; 0]
        );
        assert_eq!(lines(&[("toss-sandbox", "toss-client", Normal)]).len(), 1);
    }

    #[test]
    fn nobody_ships_the_simulation_or_xtask() {
        assert_eq!(lines(&[("api-server", "simulation", Normal)]).len(), 1);
        assert_eq!(lines(&[("api-server", "xtask", Normal)]).len(), 1);
        assert_eq!(lines(&[("simulation", "xtask", Dev)]).len(), 1);
    }

    #[test]
    fn a_domain_that_reaches_an_http_client_through_others_is_refused_with_the_path() {
        assert_eq!(
            lines(&[
                ("payment-domain", "kernel", Normal),
                ("kernel", "oracle", Normal),
                ("oracle", "reqwest", Normal),
                ("reqwest", "oracle", Normal),
            ]),
            [
                "kernel → oracle → reqwest: kernel must not reach reqwest",
                "payment-domain → kernel → oracle → reqwest: payment-domain must not reach reqwest",
            ]
        );
    }

    #[test]
    fn what_only_the_tests_of_a_dependency_use_is_not_reached() {
        assert_eq!(
            lines(&[("kernel", "serde", Normal), ("serde", "reqwest", Dev)]),
            [] as [&str; 0]
        );
    }

    #[test]
    fn only_storage_names_diesel() {
        assert_eq!(
            lines(&[("api-server", "diesel_migrations", Dev)]),
            ["api-server → diesel_migrations (dev): only storage knows diesel"]
        );
    }

    #[test]
    fn a_crate_that_nobody_listed_is_refused() {
        assert_eq!(
            lines(&[("wallet", "kernel", Normal)]),
            ["wallet: a new crate must be listed in RULES (xtask/src/arrows.rs)"]
        );
    }

    #[test]
    fn this_workspace_keeps_the_rules() {
        let root = crate::workspace_root().unwrap();
        assert_eq!(check(&Graph::read(&root).unwrap()), []);
    }
}
