//! Tells cargo that a new migration makes the crate stale: the macro that embeds the migrations
//! sees only those that existed when it ran.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
