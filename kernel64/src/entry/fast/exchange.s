# ---- The paths -----------------------------------------------------------------------------------------------

.section .text.lilliput_fast, "ax"
.globl lilliput_syscall32
.type lilliput_syscall32, @function
.balign 64
lilliput_syscall32:
    ENTER_SMALL
lilliput_compat_entry:
    cmp eax, [rsp + {gate_places}]
    jae 20f
    CHECK_CALL lilliput_general32
    cmp r11d, [rsp + {peers}]
    jne 10f
    COMMIT_CALL {caller}
    LEAVE_SMALL lilliput_return_call32
10: cmp r11d, [rsp + {host_peer}]
    jne 11f
    COMMIT_CALL {guest}
    EXTEND
    LEAVE_TO_HOST
11: cmp r11d, {class_wide}
    jne 12f
    COMMIT_CALL {caller}
    EXTEND
    LEAVE_WIDE_WITH_SEGMENTS
12: cmp r11d, {any_small}
    ja lilliput_general32
    COMMIT_CALL {caller}
    ROOT_IF_OTHER
    CLEAR_KEPT
    LEAVE_SMALL lilliput_return_call32_other

20: cmp eax, {reply_receive}
    jne 30f
    CHECK_HOME lilliput_gate32
    CALLER
    cmp r11d, [rsp + {peers}]
    jne 21f
    COMMIT_REPLY {caller}
    LEAVE_SMALL lilliput_return_reply32
21: cmp r11d, {class_wide}
    jne 22f
    COMMIT_REPLY {caller}
    EXTEND
    LEAVE_WIDE_WITH_SEGMENTS
22: cmp r11d, [rsp + {host_peer}]
    jne 23f
    COMMIT_REPLY {caller}
    EXTEND
    STAGE note
    mov rcx, [rsp + {cr3}]
    mov r9d, [rsp + {task}]
    NOTE
    LEAVE_TO_HOST
23: cmp r11d, {any_small}
    ja lilliput_general32
    COMMIT_REPLY {caller}
    ROOT_IF_OTHER
    CLEAR_KEPT
    LEAVE_SMALL lilliput_return_reply32_other

30: cmp eax, [rsp + {null_call}]
    jne lilliput_signal32
    STAGE exit
    xor eax, eax
    xor ecx, ecx
    lea rsp, [rsp + {ip}]
    swapgs
    sti
    .globl lilliput_return_null32
lilliput_return_null32:
    retfq

# The host's guest becomes its caller. R8 = the root in force: the guest's, or else what was noted. That of a 64-bit guest is in force no more, and is no small
# task's either.
.macro RECEIVE_GUEST
    STAGE guest
    mov r8, gs:[{loaded_cr3}]
    movsxd r11, dword ptr [rsp + {guest}]
    cmp r11d, {nobody}
    je 8f
    mov r8, [r11 + {cr3}]
    mov [rsp + {caller}], r11d
    mov dword ptr [rsp + {guest}], {nobody}
8:
.endm

.globl lilliput_syscall64
.type lilliput_syscall64, @function
.balign 64
lilliput_syscall64:
    ENTER_WIDE
lilliput_wide_entry:
    cmp eax, [rsp + {gate_places}]
    jae 50f
    CHECK_CALL lilliput_general64
    cmp r11d, [rsp + {peers}]
    jne 40f
    COMMIT_CALL {caller}
    ROOT_IF_OTHER
    LEAVE_WIDE
40: cmp r11d, {any_small}
    ja 41f
    FITS lilliput_general64
    COMMIT_CALL {caller}
    ROOT
    CLEAR_KEPT
    LEAVE_SMALL lilliput_return_call64
41: shr r11d, 8
    cmp r11d, {kind_host}
    jne lilliput_general64
    COMMIT_CALL {caller}
    LEAVE_TO_OTHER_HOST

50: cmp eax, {reply_receive}
    jne 60f
    CHECK_HOME lilliput_gate64_short
    movsxd r10, dword ptr [rsp + {guest}]
    # Nobody is not of that kind, nor is who made a foreign call.
    cmp word ptr [r10 + {kind}], {plain_small}
    jne 51f
    COMMIT_REPLY {guest}
    LEAVE_TO_GUEST lilliput_return_guest
51: CALLER
    cmp r11d, [rsp + {peers}]
    jne 52f
    COMMIT_REPLY {caller}
    ROOT_IF_OTHER
    LEAVE_WIDE
52: cmp r11d, {any_small}
    ja 53f
    FITS lilliput_general64
    COMMIT_REPLY {caller}
    ROOT
    CLEAR_KEPT
    LEAVE_SMALL lilliput_return_reply64
53: cmp r11d, {class_wide}
    jne 54f
    COMMIT_REPLY {caller}
    LEAVE_WIDE_WITH_SEGMENTS
54: shr r11d, 8
    cmp r11d, {kind_host}
    jne lilliput_answer
    cmp byte ptr [rsp + {kind}], {kind_host}
    je lilliput_general64
    COMMIT_REPLY {caller}
    LEAVE_TO_OTHER_HOST

60: cmp eax, [rsp + {null_call}]
    jne 61f
    STAGE exit
    xor eax, eax
    mov rsp, r11
    mov r11d, {flags}
    swapgs
    sysretq

# A host calls. Its guest is a caller like others from here on: what the CPU has loaded changes. Not if anything of it is the guest's alone.
# Selectors above that of a null call are none of those that pay, but for one; those of long messages are so negative that the comparison overflows.
61: jg 62f
    jo lilliput_long
    cmp byte ptr [rsp + {ways}], {own_host}
    ja lilliput_foreign64
    jb lilliput_signal64
lilliput_host_call:
    cmp eax, [rsp + {places}]
    jae lilliput_reply_kept
    cmp dword ptr gs:[{attention}], 0
    jne lilliput_general64_long
    CHECK_CALL lilliput_general64
    cmp r11d, {class_wide}
    jne 71f
    RECEIVE_GUEST
    COMMIT_CALL {caller}
    LEAVE_WIDE_WITH_SEGMENTS
71: cmp r11d, {any_small}
    ja lilliput_general64
    FITS lilliput_general64
    RECEIVE_GUEST
    COMMIT_CALL {caller}
    STAGE root
    # What is loaded was noted by whoever switched to the host, unless its guest came.
    cmp r8, [r10 + {cr3}]
    je 72f
    ROOT
72: CLEAR_KEPT
    LEAVE_SMALL lilliput_return_host_call

62: cmp eax, {return_receive}
    je lilliput_return64
    jmp lilliput_keep_receive

# SYSENTER keeps nothing and clears IF only (Intel SDM vol. 2, SYSENTER): the entry page passes the stack pointer in ECX, the
# return address is fixed, and NT, TF, AC and DF arrive as the user left them. A single step that was pending is
# taken at the first instruction, on the stack of #DB, whose handler clears TF; the POPFQ clears the rest. 64-bit code can come
# here too, and is not believed: the general path takes it for hostile, and a foreign thread's for its handler's.
.globl lilliput_sysenter
.type lilliput_sysenter, @function
.balign 64
lilliput_sysenter:
    swapgs
    mov rsp, gs:[{kernel_stack_top}]
    push 2
    popfq
    mov rsp, gs:[{current}]
    mov ecx, ecx
    mov [rsp + {sp}], rcx
    cmp byte ptr [rsp + {ways}], {own32}
    je lilliput_compat_entry
    jmp lilliput_foreign_sysenter

# ---- To the general path -------------------------------------------------------------------------------------

# The registers follow in the block of the thread that entered, whose frame is stored already.
lilliput_general32:
    lea rsp, [rsp + {registers_end}]
    push rax
    push rdx
    sub rsp, 7 * 8
    jmp {general32}

# A call or an answer of a thread that could use vector registers: if that is why its gate is closed, the next one must not use them
# (CR0.TS), and it is tried again. Everything else is for the general path.
.macro OPEN_GATE general, again
    cmp dword ptr gs:[{attention}], {only_vectors}
    jne \general
    cmp eax, {reply_receive}
    je 8f
    cmp eax, [rsp + {places}]
    jae \general
8:  FORBID_VECTORS r11
    mov r11d, [rsp + {places}]
    mov [rsp + {gate_places}], r11d
    mov r11d, [rsp + {home}]
    mov [rsp + {gate_home}], r11d
    mov r11, [rsp + {sp}]
    jmp \again
.endm

lilliput_gate32:
    OPEN_GATE lilliput_general32, lilliput_compat_entry

lilliput_gate64_short:
    xor r9d, r9d
    xor r10d, r10d
# R9 and R10 are as they came: they may be part of a long message.
lilliput_gate64:
    cmp byte ptr [rsp + {kind}], {kind_host}
    je lilliput_host_call
    OPEN_GATE lilliput_general64_long, lilliput_wide_entry

lilliput_general64:
    xor r9d, r9d
    xor r10d, r10d
lilliput_general64_long:
    lea rsp, [rsp + {registers_end}]
    push rax
    push rdx
    jmp {general64}
