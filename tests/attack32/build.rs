//! Says how 32-bit programs are linked: static, low in the small space, pages of different rights apart.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_ARCH").as_deref() != Ok("x86") {
        return;
    }
    for argument in ["--no-pie", "--image-base=0x10000", "-zmax-page-size=4096", "-znorelro", "--build-id=none"] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
}
