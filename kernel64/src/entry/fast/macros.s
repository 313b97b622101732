# Marks where a stage begins, for `cargo xtask ipc-path`: a symbol and no instruction.
.macro STAGE name
lilliput_stage_\name\()_\@:
.endm

# ---- Entry ---------------------------------------------------------------------------------------------------

# SYSCALL from compatibility mode. The return address is not kept: whoever enters goes on at the entry page's return, hence enters there.
.macro ENTER_SMALL
    STAGE entry
    swapgs
    mov r11d, esp
    mov rsp, gs:[{current}]
    mov [rsp + {sp}], r11
    STAGE place
.endm

# SYSCALL from 64-bit code. R11 = the user's stack pointer.
.macro ENTER_WIDE
    STAGE entry
    swapgs
    mov r11, rsp
    mov rsp, gs:[{current}]
    mov [rsp + {ip}], rcx
    mov [rsp + {sp}], r11
    STAGE place
.endm

# ---- Checks --------------------------------------------------------------------------------------------------

# A call by the capability at place EAX, which is in the table. RCX = capability, R9 = endpoint, R10 = who is first in its queue, or
# nobody, R11D = its class.
.macro CHECK_CALL general
    STAGE capability
    mov ecx, eax
    shl ecx, 4
    add rcx, [rsp + {capabilities}]
    movsxd r9, dword ptr [rcx + {object}]
    mov r11d, [rcx + {key}]
    cmp r11d, [r9 + {endpoint_key}]
    jne \general
    STAGE receiver
    movsxd r10, dword ptr [r9 + {queue}]
    mov r11d, [r10 + {class}]
.endm

# An answer goes on at the thread's home. R9 = that, where nobody is.
.macro CHECK_HOME general
    STAGE home
    movsxd r9, dword ptr [rsp + {gate_home}]
    cmp dword ptr [r9 + {queue}], {nobody}
    jne \general
    STAGE receiver
.endm

# R10 = the caller, or nobody, R11D = its class.
.macro CALLER
    movsxd r10, dword ptr [rsp + {caller}]
    mov r11d, [r10 + {class}]
.endm

# Whether the words of a 64-bit sender fit a 32-bit receiver.
.macro FITS general
    STAGE words
    mov r11, rbx
    or r11, rsi
    or r11, rdi
    or r11, rbp
    shr r11, 32
    jnz \general
.endm

# ---- Commit --------------------------------------------------------------------------------------------------

# The receiver takes the message of the thread that entered, which waits for its answer. EAX = badge.
.macro COMMIT_CALL link
    # Point of no return.
    STAGE commit
    mov dword ptr [r9 + {queue}], {nobody}
    mov [r10 + \link], esp
    mov [rsp + {server}], r10d
    mov gs:[{current}], r10
    EXCHANGE
    mov eax, [rcx + {badge}]
.endm

# The caller gets its answer; the thread that entered is alone at its home. EAX = 0.
.macro COMMIT_REPLY link
    # Point of no return.
    STAGE commit
    mov [r9 + {queue}], esp
    mov dword ptr [rsp + \link], {nobody}
    mov gs:[{current}], r10
    EXCHANGE
    xor eax, eax
.endm

# The time until now is charged to the thread that entered, and from now on to the other. The time slice goes along.
# What they have in RDX stays meanwhile in a register that may be lost.
.macro EXCHANGE other=r10, keep=r9d
    STAGE account
    .if {accounting}
    mov \keep, edx
    rdtsc
    shl rdx, 32
    or rax, rdx
    add [rsp + {user_ticks}], rax
    sub [\other + {user_ticks}], rax
    inc qword ptr [rsp + {exchanges}]
    mov edx, \keep
    .else
    mov edx, edx
    .endif
    STAGE message
.endm

# Whoever uses vector registers next raises #NM.
.macro FORBID_VECTORS scratch
    mov byte ptr gs:[{vector_enabled}], 0
    mov \scratch, cr0
    or \scratch, {task_switched}
    mov cr0, \scratch
.endm

# If the thread's gate is closed because it can use vector registers: whoever is next can't (CR0.TS). R9 is lost.
.macro IF_VECTORS otherwise
    cmp word ptr gs:[{attention}], {only_vectors}
    jne \otherwise
    FORBID_VECTORS r9
.endm

# ---- A page fault as a message ----------------------------------------------------------------------------------

# The registers of the thread in RAX go into its block, from those that stand on the stack and those that don't; the frame becomes where it goes
# on. R11D = error code; the stack is empty. RSP = block.
.macro FAULT_REGISTERS
    # Point of no return.
    mov [rax + {registers} + 0 * 8], rbx
    mov [rax + {registers} + 1 * 8], rsi
    mov [rax + {registers} + 2 * 8], rdi
    mov [rax + {registers} + 3 * 8], rbp
    mov [rax + {tag}], rdx
    pop qword ptr [rax + {r11}]
    pop rbx
    pop rsi
    pop qword ptr [rax + {rcx}]
    pop qword ptr [rax + {status}]
    pop r11
    pop qword ptr [rax + {interrupted_ip}]
    pop rdx
    pop rdx
    and edx, {user_flags}
    mov [rax + {interrupted_flags}], rdx
    pop qword ptr [rax + {interrupted_sp}]
    mov rdi, cr2
    mov byte ptr [rax + {obstacles}], {faulted}
    mov byte ptr [rax + {raised_vector}], 14
    mov [rax + {raised_code}], r11d
    .if {accounting}
    inc qword ptr [rax + {faults}]
    .endif
    mov rsp, rax
    shl r11d, 8
.endm

# RBX and RSI have what R10 and R9 had, which are a message's no more than the others.
.macro FAULT_REGISTERS_WIDE
    mov [rsp + {registers} + 4 * 8], r8
    mov [rsp + {registers} + 5 * 8], rsi
    mov [rsp + {registers} + 6 * 8], rbx
    mov [rsp + {registers} + 7 * 8], r12
    mov [rsp + {registers} + 8 * 8], r13
    mov [rsp + {registers} + 9 * 8], r14
    mov [rsp + {registers} + 10 * 8], r15
.endm

# Words 0-3: vector and error code, address, instruction pointer, stack pointer.
.macro FAULT_MESSAGE
    mov [rsp + {raised_address}], rdi
    mov rsi, rdi
    mov rdi, [rsp + {interrupted_ip}]
    mov rbp, [rsp + {interrupted_sp}]
    lea ebx, [r11 + 14]
    mov edx, {fault_tag}
.endm

.macro FAULT_MESSAGE_WIDE
    FAULT_MESSAGE
.endm

# The address as the task sees it; R8-R15 are not its own, nor is what stands for R11 in its block.
.macro FAULT_MESSAGE_SMALL
    sub edi, [rsp + {base}]
    mov qword ptr [rsp + {r11}], 0
    FAULT_MESSAGE
.endm

# ---- Exit ----------------------------------------------------------------------------------------------------

# How often CR3 is written and data segment registers are loaded, in a kernel that was built to tell.
.macro COUNT what, times
    .if {counting}
    add qword ptr gs:[\what], \times
    .endif
.endm

# The root of the thread in R10.
.macro ROOT
    STAGE root
    mov rcx, [r10 + {cr3}]
    mov cr3, rcx
    COUNT {cr3_writes}, 1
.endm

# The same, unless it is that of the thread that entered.
.macro ROOT_IF_OTHER other=r10
    STAGE root
    mov rcx, [\other + {cr3}]
    cmp rcx, [rsp + {cr3}]
    je 9f
    mov cr3, rcx
    COUNT {cr3_writes}, 1
9:
.endm

# Both descriptors of the thread in R10. RSP = its frame.
.macro DESCRIPTORS
    STAGE segments
    lea rsp, [r10 + {data_descriptor}]
    pop qword ptr gs:[{gdt_data}]
    pop qword ptr gs:[{gdt_code}]
.endm

# R8 and R12-R15 may be a host's, for whom they stay as they are while its guests run.
.macro CLEAR_KEPT
    STAGE clear
    xor r8d, r8d
    xor r12d, r12d
    xor r13d, r13d
    xor r14d, r14d
    xor r15d, r15d
.endm

# To the small thread in R10, whose root is in force. GS is loaded after the last use of the kernel's.
.macro LEAVE_SMALL label
    DESCRIPTORS
    COUNT {segment_loads}, 4
    mov ds, word ptr [rsp + {frame_ss}]
    mov es, word ptr [rsp + {frame_ss}]
    mov fs, word ptr [rsp + {frame_ss}]
    swapgs
    mov gs, word ptr [rsp + {frame_ss}]
    STAGE exit
    xor ecx, ecx
    sti
    .globl \label
\label:
    retfq
.endm

# To the guest in R10 of the host that entered: its root is in force and its segments are loaded, but for code.
.macro LEAVE_TO_GUEST label
    STAGE segments
    lea rsp, [r10 + {code_descriptor}]
    pop qword ptr gs:[{gdt_code}]
    STAGE exit
    swapgs
    xor ecx, ecx
    sti
    .globl \label
\label:
    retfq
.endm

# To the host in R10 of the small thread that entered, whose root and segments stay. Of a 64-bit code descriptor only the upper half counts.
.macro LEAVE_TO_HOST
    STAGE segments
    mov dword ptr gs:[{gdt_code} + 4], {code64_upper}
    STAGE exit
    mov rcx, [r10 + {ip}]
    mov r11d, {flags}
    mov rsp, [r10 + {sp}]
    xor r9d, r9d
    xor r10d, r10d
    swapgs
    sysretq
.endm

# To the 64-bit thread in R10 from another one: 64-bit mode ignores DS and ES, and what FS and GS have is no task's.
.macro LEAVE_WIDE
    STAGE exit
    mov rcx, [r10 + {ip}]
    mov r11d, {flags}
    mov rsp, [r10 + {sp}]
    xor r9d, r9d
    xor r10d, r10d
    CLEAR_KEPT
    STAGE exit
    swapgs
    sysretq
.endm

# To the 64-bit thread in R10 from a small one or a host: the bases of FS and GS are a small task's.
.macro LEAVE_WIDE_WITH_SEGMENTS
    ROOT
    DESCRIPTORS
    COUNT {segment_loads}, 2
    mov fs, word ptr [rsp + {frame_ss}]
    swapgs
    mov gs, word ptr [rsp + {frame_ss}]
    STAGE exit
    mov rcx, [rsp]
    mov r11d, {flags}
    mov rsp, [rsp + {frame_sp}]
    xor r9d, r9d
    xor r10d, r10d
    CLEAR_KEPT
    STAGE exit
    sysretq
.endm

# To the host in R10 from a 64-bit thread of another root. It is noted what is loaded: it can't be told from who runs.
.macro LEAVE_TO_OTHER_HOST
    ROOT
    xor r9d, r9d
    NOTE
    LEAVE_WIDE
.endm

# Notes for the host in R10 what is loaded: root RCX, segments of task R9D, which if any is of its arena.
.macro NOTE
    STAGE note
    mov gs:[{loaded_cr3}], rcx
    mov gs:[{loaded_segments}], r9d
    movzx ecx, byte ptr [r10 + {arena}]
    mov gs:[{loaded_arena}], ecx
    mov gs:[{loaded_segments_arena}], ecx
.endm

# A 32-bit sender's words, zero-extended: the upper halves are undefined after compatibility mode (AMD64 APM vol. 1, 3.1.2).
.macro EXTEND
    mov ebx, ebx
    mov esi, esi
    mov edi, edi
    mov ebp, ebp
.endm

