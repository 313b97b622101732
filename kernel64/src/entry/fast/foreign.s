# ---- A foreign thread's system call to who handles its faults, and the answer ---------------------------------------------------------

# A small thread's goes to the host of its arena, a 64-bit one's to any host, or to another 64-bit task's thread.

# What a 32-bit thread calls by any instruction. R11 = its block, where it is stored where it goes on, with the flags. R8 to R10 are nothing of its own.
# The endpoint is its home, where the thread's gate is open, else one where nobody is of the class that is asked for.

# The time until now is charged to one, and from now on to the other. RAX and RDX are lost.
.macro FOREIGN_ACCOUNT from, to
    .if {accounting}
    STAGE account
    rdtsc
    shl rdx, 32
    or rax, rdx
    add [\from + {user_ticks}], rax
    sub [\to + {user_ticks}], rax
    inc qword ptr [\from + {exchanges}]
    .endif
.endm

# R9 = endpoint, RSP = who is first in its queue.
.macro FOREIGN_RECEIVER otherwise
    STAGE receiver
    movsxd r9, dword ptr [r11 + {foreign_gate}]
    movsxd rsp, dword ptr [r9 + {queue}]
    mov r10d, [rsp + {class}]
    cmp r10d, [r11 + {host_peer}]
    jne \otherwise
.endm

# It is the host's guest from here on: root and segments stay as they are. All of its registers are kept, and those of arguments go over:
# EBX, ESI, EDI, EBP as they stand, EAX, ECX, EDX in R8 to R10.
.macro FOREIGN_CALL tag
    # Point of no return.
    STAGE registers
    mov [r11 + {registers} + 0 * 8], rbx
    mov [r11 + {registers} + 1 * 8], rsi
    mov [r11 + {registers} + 2 * 8], rdi
    mov [r11 + {registers} + 3 * 8], rbp
    mov [r11 + {tag}], rdx
    mov [r11 + {status}], rax
    mov [r11 + {rcx}], rcx
    STAGE commit
    mov byte ptr [r11 + {obstacles}], {faulted}
    mov dword ptr [r9 + {queue}], {nobody}
    mov [rsp + {guest}], r11d
    mov [r11 + {server}], esp
    mov gs:[{current}], rsp
    STAGE message
    mov r8d, eax
    mov r9d, ecx
    mov r10d, edx
    FOREIGN_ACCOUNT r11, rsp
    STAGE message
    mov eax, [r11 + {own_badge}]
    mov edx, \tag
    EXTEND
    STAGE segments
    mov dword ptr gs:[{gdt_code} + 4], {code64_upper}
    STAGE exit
    mov rcx, [rsp + {ip}]
    mov rsp, [rsp + {sp}]
    mov r11d, {flags}
    swapgs
    sysretq
.endm

# By `int 0x80`: RSP = frame on the empty kernel stack, all registers the user's. R8 to R11 of a 64-bit thread are lost.
.globl lilliput_foreign_interrupt
.type lilliput_foreign_interrupt, @function
.balign 64
lilliput_foreign_interrupt:
    STAGE entry
    swapgs
    mov r11, gs:[{current}]
    pop qword ptr [r11 + {interrupted_ip}]
    pop r10
    pop qword ptr [r11 + {interrupted_flags}]
    pop qword ptr [r11 + {interrupted_sp}]
7:  FOREIGN_RECEIVER 8f
    FOREIGN_CALL {interrupt_tag}
8:  IF_VECTORS 9f
    mov r9d, [r11 + {home_endpoint}]
    mov [r11 + {foreign_gate}], r9d
    jmp 7b
# The frame is still there.
9:  mov rsp, gs:[{kernel_stack_top}]
    lea rsp, [rsp - 5 * 8]
    xor r8d, r8d
    xor r9d, r9d
    xor r10d, r10d
    xor r11d, r11d
    swapgs
    jmp {foreign_stub}

# By SYSCALL: RSP = block, RCX = where it returns to, R11 = stack pointer.
lilliput_foreign32:
    STAGE foreign
    mov [rsp + {interrupted_ip}], rcx
    mov [rsp + {interrupted_sp}], r11
    mov qword ptr [rsp + {interrupted_flags}], {flags}
    mov r11, rsp
    FOREIGN_RECEIVER 9f
    FOREIGN_CALL {syscall_tag}
9:  mov rsp, r11
    jmp lilliput_general32

# By SYSENTER: RSP = block, of any thread whose SYSENTER is not the kernel's.
lilliput_foreign_sysenter:
    STAGE foreign
    mov r11, rsp
    mov r9, [rsp + {ip}]
    mov [r11 + {interrupted_ip}], r9
    mov r10d, ebp
    mov [r11 + {interrupted_sp}], r10
    mov qword ptr [r11 + {interrupted_flags}], {flags}
    FOREIGN_RECEIVER 9f
    FOREIGN_CALL {sysenter_tag}
9:  lea rsp, [r11 + {registers_end}]
    push rax
    push rdx
    sub rsp, 7 * 8
    jmp {general_sysenter}

# The answer: the guest's registers come from where the message had them. RSP = block of the host, RCX is stored: from here on the guest, until
# RSP has gone over to its block.
lilliput_return64:
    STAGE home
    movsxd r11, dword ptr [rsp + {gate_home}]
    cmp dword ptr [r11 + {queue}], {nobody}
    jne lilliput_general64_long
    STAGE receiver
    movsxd rcx, dword ptr [rsp + {guest}]
    cmp word ptr [rcx + {kind}], {faulted_small}
    jne lilliput_return_wide
    # Point of no return.
    STAGE commit
    mov [r11 + {queue}], esp
    mov dword ptr [rsp + {guest}], {nobody}
    mov gs:[{current}], rcx
    mov byte ptr [rcx + {obstacles}], 0
    FOREIGN_ACCOUNT rsp, rcx
    STAGE segments
    lea rsp, [rcx + {code_descriptor}]
    pop qword ptr gs:[{gdt_code}]
    STAGE message
    mov eax, r8d
    mov ecx, r9d
    mov edx, r10d
    STAGE exit
    lea rsp, [rsp + {interrupted_ip} - {code_descriptor} - 8]
    and dword ptr [rsp + {interrupted_flags} - {interrupted_ip}], {user_flags}
    swapgs
    .globl lilliput_iret_foreign
lilliput_iret_foreign:
    iretq

# By SYSCALL from 64-bit code: RSP = block, where it goes on is stored. RCX and R11 are nobody's. To a host, whose guest it becomes, whatever is loaded for it alone; or,
# if nothing is, to a thread of the 64-bit kind.
lilliput_foreign64:
    STAGE receiver
    movsxd r11, dword ptr [rsp + {foreign_gate}]
    movsxd rcx, dword ptr [r11 + {queue}]
    cmp word ptr [rcx + {kind}], {plain_host}
    jne 7f
    mov [rcx + {guest}], esp
6:  # Point of no return.
    STAGE registers
    mov [rsp + {registers} + 0 * 8], rbx
    mov [rsp + {registers} + 1 * 8], rsi
    mov [rsp + {registers} + 2 * 8], rdi
    mov [rsp + {registers} + 3 * 8], rbp
    mov [rsp + {registers} + 4 * 8], r8
    mov [rsp + {registers} + 5 * 8], r9
    mov [rsp + {registers} + 6 * 8], r10
    mov [rsp + {registers} + 7 * 8], r12
    mov [rsp + {registers} + 8 * 8], r13
    mov [rsp + {registers} + 9 * 8], r14
    mov [rsp + {registers} + 10 * 8], r15
    mov [rsp + {tag}], rdx
    mov [rsp + {status}], rax
    mov r12, [rsp + {ip}]
    mov r13, [rsp + {sp}]
    mov r14d, {flags}
    mov [rsp + {rcx}], r12
    mov [rsp + {r11}], r14
    mov [rsp + {interrupted_ip}], r12
    mov [rsp + {interrupted_sp}], r13
    mov [rsp + {interrupted_flags}], r14
    STAGE commit
    mov byte ptr [rsp + {obstacles}], {faulted}
    mov dword ptr [r11 + {queue}], {nobody}
    mov [rsp + {server}], ecx
    mov gs:[{current}], rcx
    STAGE message
    mov rbx, rax
    mov rbp, rdx
    FOREIGN_ACCOUNT rsp, rcx
    STAGE message
    mov eax, [rsp + {own_badge}]
    mov edx, {syscall_tag}
    xor r12d, r12d
    xor r13d, r13d
    xor r14d, r14d
    xor r15d, r15d
    STAGE root
    mov r11, [rcx + {cr3}]
    mov cr3, r11
    COUNT {cr3_writes}, 1
    STAGE exit
    mov rsp, [rcx + {sp}]
    mov rcx, [rcx + {ip}]
    mov r11d, {flags}
    swapgs
    sysretq
7:  cmp dword ptr [rcx + {class}], {class_wide}
    jne 8f
    cmp byte ptr [rsp + {class}], {local_root}
    je 8f
    mov [rcx + {caller}], esp
    jmp 6b
8:  cmp word ptr gs:[{attention}], {only_vectors}
    jne lilliput_general64_long
    FORBID_VECTORS rcx
    mov ecx, [rsp + {home_endpoint}]
    mov [rsp + {foreign_gate}], ecx
    jmp lilliput_foreign64

# The answer to that. RSP = block of the server, RCX = its guest, which goes on behind its SYSCALL by SYSRETQ. Of a caller that has to be found out: it may have called
# otherwise, and somebody may have set where it goes on, or how. RDX is lost, which this operation does not look at.
lilliput_return_wide:
    cmp word ptr [rcx + {kind}], {faulted_wide_kind}
    je 5f
    cmp byte ptr [rsp + {kind}], {kind_wide}
    jne lilliput_general64_long
    movsxd rcx, dword ptr [rsp + {caller}]
    cmp dword ptr [rcx + {class}], {faulted_wide}
    jne lilliput_general64_long
    cmp byte ptr [rcx + {raised_vector}], {foreign_vector}
    jne lilliput_general64_long
    mov rdx, [rcx + {interrupted_ip}]
    cmp rdx, [rcx + {rcx}]
    jne lilliput_general64_long
    cmp qword ptr [rcx + {r11}], {flags}
    jne lilliput_general64_long
    cmp qword ptr [rcx + {interrupted_flags}], {flags}
    jne lilliput_general64_long
    mov dword ptr [rsp + {caller}], {nobody}
5:  # Point of no return.
    STAGE commit
    mov [r11 + {queue}], esp
    mov dword ptr [rsp + {guest}], {nobody}
    mov gs:[{current}], rcx
    mov byte ptr [rcx + {obstacles}], 0
    FOREIGN_ACCOUNT rsp, rcx
    STAGE root
    mov rdx, [rcx + {cr3}]
    mov cr3, rdx
    COUNT {cr3_writes}, 1
    STAGE message
    mov rax, rbx
    mov rdx, rbp
    STAGE registers
    mov rbx, [rcx + {registers} + 0 * 8]
    mov rbp, [rcx + {registers} + 3 * 8]
    mov r12, [rcx + {registers} + 7 * 8]
    mov r13, [rcx + {registers} + 8 * 8]
    mov r14, [rcx + {registers} + 9 * 8]
    mov r15, [rcx + {registers} + 10 * 8]
    STAGE exit
    mov rsp, [rcx + {interrupted_sp}]
    mov rcx, [rcx + {interrupted_ip}]
    mov r11d, {flags}
    swapgs
    sysretq
.text
