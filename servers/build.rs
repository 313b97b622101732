//! Says how the servers are linked: as 64-bit programs are, the arena host above the arena's slots.

use lilliput_abi::layout::HOST_START;

/// Where a program begins in its space.
const PROGRAM: u64 = 0x40_0000;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("none") {
        return;
    }
    for argument in ["--no-pie", "-zmax-page-size=4096", "-znorelro", "--build-id=none"] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
    let wide = ["root", "console", "disk", "pager", "keeper"].map(|program| (program, PROGRAM));
    let hosts = ["host", "linux"].map(|program| (program, HOST_START + PROGRAM));
    for (program, base) in wide.into_iter().chain(hosts) {
        println!("cargo:rustc-link-arg-bin={program}=--image-base={base:#x}");
    }
}
