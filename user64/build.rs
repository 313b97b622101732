//! Says how 64-bit programs are linked: static, at a fixed address, pages of different rights apart.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("none") {
        return;
    }
    for argument in ["--no-pie", "--image-base=0x400000", "-zmax-page-size=4096", "-znorelro", "--build-id=none"] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
}
