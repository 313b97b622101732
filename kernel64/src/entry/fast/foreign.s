# ---- A foreign thread's system call to the host of its arena, which handles its faults, and the answer -----------------------------

# What a 32-bit thread calls by any instruction. R11 = its block, where it is stored where it goes on, with the flags. R8 to R10 are nothing of its own.
# The endpoint is its home, where the thread's gate is open, else one where nobody is of the class that is asked for.

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
    STAGE account
    .if {accounting}
    rdtsc
    shl rdx, 32
    or rax, rdx
    add [r11 + {user_ticks}], rax
    sub [rsp + {user_ticks}], rax
    inc qword ptr [r11 + {exchanges}]
    .endif
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
    FOREIGN_RECEIVER 8f
    FOREIGN_CALL {interrupt_tag}
# The frame is still there.
8:  mov rsp, gs:[{kernel_stack_top}]
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
    jne lilliput_general64_long
    # Point of no return.
    STAGE commit
    mov [r11 + {queue}], esp
    mov dword ptr [rsp + {guest}], {nobody}
    mov gs:[{current}], rcx
    mov byte ptr [rcx + {obstacles}], 0
    STAGE account
    .if {accounting}
    rdtsc
    shl rdx, 32
    or rax, rdx
    add [rsp + {user_ticks}], rax
    sub [rcx + {user_ticks}], rax
    inc qword ptr [rsp + {exchanges}]
    .endif
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
.text
