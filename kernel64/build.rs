//! Hands the linker script to the linker.

fn main() {
    let directory = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let target = std::env::var("CARGO_CFG_TARGET_OS").expect("cargo sets CARGO_CFG_TARGET_OS");
    println!("cargo:rerun-if-changed=kernel.ld");
    if target == "none" {
        println!("cargo:rustc-link-arg-bins=-T{directory}/kernel.ld");
        // The boot loader maps the file in place, page by page: its segments must not share a page.
        println!("cargo:rustc-link-arg-bins=-zmax-page-size=4096");
        println!("cargo:rustc-link-arg-bins=-zseparate-code");
    }
}
