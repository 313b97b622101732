//! Says how the program is linked: static, where Linux programs of its width usually are, pages of different rights apart.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let base = match std::env::var("CARGO_CFG_TARGET_ARCH").as_deref() {
        Ok("x86") => "0x8048000",
        _ => "0x400000",
    };
    for argument in ["--no-pie", "-zmax-page-size=4096", "-znorelro", "--build-id=none"] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
    println!("cargo:rustc-link-arg-bins=--image-base={base}");
}
