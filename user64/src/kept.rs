//! What a function keeps for its caller, by the C ABI of x86-64, in assembly that uses all registers.

/// Pushes those registers.
#[macro_export]
macro_rules! push_kept {
    () => {
        "push rbx\npush rbp\npush r12\npush r13\npush r14\npush r15"
    };
}

/// Pops them again.
#[macro_export]
macro_rules! pop_kept {
    () => {
        "pop r15\npop r14\npop r13\npop r12\npop rbp\npop rbx"
    };
}
