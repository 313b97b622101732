# ---- Callers that a host puts aside, and the answers to them -------------------------------------------------------

# Both are a host's that serves a guest: a foreign thread that waits for its answer.

# R11D = selector less that of the operation: the place of a capability to a reply object, or too large for one. To R11 = that object; RCX is lost.
.macro REPLY_OBJECT right, general
    cmp r11d, [rsp + {places}]
    jae \general
    STAGE capability
    shl r11d, 4
    add r11, [rsp + {capabilities}]
    cmp byte ptr [r11 + {key} + 5], {type_reply}
    jne \general
    test byte ptr [r11 + {key} + 4], \right
    jz \general
    mov ecx, [r11 + {key}]
    movsxd r11, dword ptr [r11 + {object}]
    add r11, {reply}
    cmp ecx, [r11 + {reply_key}]
    jne \general
.endm

# What becomes of who is answered is another matter than who runs: the host goes on, since the other does not outrank it. Nor does it outrank the guest: so
# an answer to that still lets it run at once. R13-R15 are no part of the message.
# The ways out come first, where short jumps reach them.
8:  xor r13d, r13d
    xor r14d, r14d
    xor r15d, r15d
7:  jmp lilliput_general64_long
lilliput_reply_kept:
    lea r11d, [rax + {reply_kept}]
    REPLY_OBJECT {right_send}, 7b
    cmp edx, {answer_tag}
    jne 7b
    cmp byte ptr gs:[{attention}], 0
    jne 7b
    # It is this task's that keeps.
    mov ecx, [rsp + {task}]
    cmp ecx, [r11 + {keeper}]
    jne 7b
    STAGE receiver
    movsxd rcx, dword ptr [r11 + {reply_caller}]
    cmp byte ptr [rcx + {obstacles}], {faulted}
    jne 7b
    cmp byte ptr [rcx + {raised_vector}], {foreign_vector}
    jne 7b
    cmp qword ptr [rcx + {budget_period}], 0
    jne 7b
    # On the guest's time the host runs, and on nobody else's.
    movsxd r13, dword ptr [rsp + {guest}]
    cmp r13d, {nobody}
    je 8b
    cmp dword ptr [r13 + {caller}], {nobody}
    jne 8b
    cmp byte ptr [r13 + {late}], 0
    jne 8b
    movzx r14d, byte ptr [rcx + {priority}]
    cmp r14b, [r13 + {priority}]
    ja 8b
    cmp r14b, [rsp + {priority}]
    ja 8b
    # Point of no return.
    STAGE registers
    cmp byte ptr [rcx + {kind}], {kind_small}
    jne 1f
    # The upper halves are nothing of a 32-bit thread's.
    mov [rcx + {registers} + 0 * 8], ebx
    mov [rcx + {registers} + 1 * 8], esi
    mov [rcx + {registers} + 2 * 8], edi
    mov [rcx + {registers} + 3 * 8], ebp
    mov [rcx + {status}], r8d
    mov [rcx + {rcx}], r9d
    mov [rcx + {tag}], r10d
    jmp 2f
1:  mov [rcx + {status}], rbx
    mov [rcx + {registers} + 1 * 8], rsi
    mov [rcx + {registers} + 2 * 8], rdi
    mov [rcx + {tag}], rbp
    mov [rcx + {registers} + 4 * 8], r8
    mov [rcx + {registers} + 5 * 8], r9
    mov [rcx + {registers} + 6 * 8], r10
2:  STAGE commit
    mov byte ptr [rcx + {obstacles}], {full_frame}
    mov byte ptr [rcx + {state}], {state_ready}
    mov dword ptr [rcx + {kept}], {no_reply}
    # The object is free, and none of the task's that are not.
    movsxd r13, dword ptr [r11 + {reply_next}]
    movsxd r15, dword ptr [r11 + {reply_previous}]
    cmp r13d, {no_reply}
    je 3f
    mov [r13 + {reply_previous}], r15d
3:  cmp r15d, {no_reply}
    je 4f
    mov [r15 + {reply_next}], r13d
    jmp 5f
4:  movsxd r15, dword ptr [rsp + {task_handler}]
    mov [r15 + {task_kept}], r13d
5:  mov dword ptr [r11 + {reply_caller}], {nobody}
    mov dword ptr [r11 + {keeper}], {no_task}
    mov dword ptr [r11 + {reply_next}], {no_reply}
    mov dword ptr [r11 + {reply_previous}], {no_reply}
    # The last of its priority, with a whole turn before it.
    mov qword ptr [rcx + {turn}], 0
    mov byte ptr [rcx + {late}], 0
    mov dword ptr [rcx + {next}], {nobody}
    lea r15, [{ready_queues} + r14 * 8]
    movsxd r13, dword ptr gs:[r15]
    cmp r13d, {nobody}
    jne 6f
    mov gs:[r15], ecx
    mov r11, gs:[{occupied}]
    bts r11, r14
    mov gs:[{occupied}], r11
    jmp 8f
6:  cmp dword ptr [r13 + {next}], {nobody}
    je 7f
    movsxd r13, dword ptr gs:[r15 + {queue_tail}]
7:  mov [r13 + {next}], ecx
8:  mov [rcx + {previous}], r13d
    mov gs:[r15 + {queue_tail}], ecx
    .if {accounting}
    inc qword ptr [rsp + {messages}]
    .endif
    STAGE exit
    xor eax, eax
    xor r13d, r13d
    xor r14d, r14d
    xor r15d, r15d
    mov rcx, [rsp + {ip}]
    mov r11d, {flags}
    mov rsp, [rsp + {sp}]
    swapgs
    sysretq

# The guest goes into the object, the host waits at its home, where nobody is, and who is ready first begins a turn, or goes on with one. All that has to be set for
# that is: the timer comes before its end in any case, and no budget does. What is loaded for whoever comes is its own, of whatever kind, as `switch.rs` does it.
# At 7 the timer has to be set, which comes later than the turn's end.
7:  mov rax, r9
    mov rdx, rcx
8:  jmp lilliput_general64
9:  jmp lilliput_general64_long
lilliput_keep_receive:
    lea r11d, [rax - {keep_receive}]
    cmp byte ptr [rsp + {kind}], {kind_host}
    jne 9b
    REPLY_OBJECT {right_receive}, 9b
    cmp dword ptr [r11 + {reply_caller}], {nobody}
    jne 9b
    cmp word ptr gs:[{attention}], 0
    jne 9b
    cmp dword ptr gs:[{preempted}], {nobody}
    jne 9b
    STAGE home
    movsxd rcx, dword ptr [rsp + {gate_home}]
    cmp dword ptr [rcx + {queue}], {nobody}
    jne 9b
    # Nobody is not of that kind.
    movsxd rcx, dword ptr [rsp + {guest}]
    cmp byte ptr [rcx + {obstacles}], {faulted}
    jne 9b
    movsxd rcx, dword ptr gs:[{paying}]
    cmp qword ptr [rcx + {budget_period}], 0
    jne 9b
    STAGE receiver
    bsr r10, qword ptr gs:[{occupied}]
    jz 8b
    movsxd r10, dword ptr gs:[{ready_queues} + r10 * 8]
    cmp byte ptr [r10 + {kind}], {kind_host}
    je 8b
    cmp dword ptr [r10 + {caller}], {nobody}
    jne 8b
    # Nor is what it has of its space old.
    cmp word ptr [r10 + {late}], 0
    jne 8b
    cmp qword ptr [r10 + {budget_period}], 0
    jne 8b
    STAGE turn
    mov r9, rax
    mov rcx, rdx
    rdtsc
    shl rdx, 32
    or rdx, rax
    mov rax, [r10 + {turn}]
    test rax, rax
    cmovz rax, gs:[{whole_turn}]
    add rax, rdx
    cmp rax, gs:[{alarm}]
    jb 7b
    # Point of no return.
    STAGE commit
    mov gs:[{turn_end}], rax
    mov gs:[{current}], r10
    movsxd rbx, dword ptr [rsp + {guest}]
    mov dword ptr [rsp + {guest}], {nobody}
    movsxd rcx, dword ptr [rsp + {gate_home}]
    mov [rcx + {queue}], esp
    STAGE keep
    mov [rbx + {kept}], r11d
    mov ecx, [rsp + {task}]
    mov [r11 + {reply_caller}], ebx
    mov [r11 + {keeper}], ecx
    mov dword ptr [r11 + {reply_previous}], {no_reply}
    movsxd rax, dword ptr [rsp + {task_handler}]
    movsxd rcx, dword ptr [rax + {task_kept}]
    mov [rax + {task_kept}], r11d
    mov [r11 + {reply_next}], ecx
    cmp ecx, {no_reply}
    je 2f
    mov [rcx + {reply_previous}], r11d
2:  STAGE account
    mov rcx, rdx
    sub rcx, gs:[{charged_at}]
    mov gs:[{charged_at}], rdx
    movsxd rax, dword ptr gs:[{paying}]
    add [rax + {charged}], rcx
    mov gs:[{paying}], r10d
    mov gs:[{payer}], r10d
    mov qword ptr gs:[{budget_end}], {never}
    .if {accounting}
    add [rsp + {user_ticks}], rdx
    sub [r10 + {user_ticks}], rdx
    inc qword ptr [rsp + {switches}]
    .endif
    STAGE ready
    movzx ecx, byte ptr [r10 + {priority}]
    movsxd rax, dword ptr [r10 + {next}]
    mov gs:[{ready_queues} + rcx * 8], eax
    cmp eax, {nobody}
    je 3f
    mov dword ptr [rax + {previous}], {nobody}
    mov dword ptr [r10 + {next}], {nobody}
    jmp 4f
3:  mov gs:[{ready_queues} + {queue_tail} + rcx * 8], eax
    mov rax, gs:[{occupied}]
    btr rax, rcx
    mov gs:[{occupied}], rax
4:  STAGE root
    # In force is the guest's, or, where that is a 64-bit task's, no more, but the host's.
    cmp byte ptr [rbx + {kind}], {kind_small}
    cmovne rbx, rsp
    mov rcx, [r10 + {cr3}]
    cmp rcx, [rbx + {cr3}]
    je 5f
    mov cr3, rcx
    COUNT {cr3_writes}, 1
5:  DESCRIPTORS
    COUNT {segment_loads}, 4
    mov ds, word ptr [rsp + {frame_ss}]
    mov es, word ptr [rsp + {frame_ss}]
    mov fs, word ptr [rsp + {frame_ss}]
    mov r11d, [rsp + {frame_ss}]
    mov rax, [r10 + {local}]
    mov rdx, [r10 + {local} + 8]
    mov gs:[{loaded_local}], rax
    mov gs:[{loaded_local} + 8], rdx
    xor ebx, ebx
    mov rcx, rax
    or rcx, rdx
    setnz gs:[{has_local}]
    jz 7f
    cmp byte ptr [r10 + {kind}], {kind_small}
    jne 6f
    mov rbx, rax
    mov ecx, {tls_selector}
    test rax, rax
    cmovnz r11d, ecx
    jmp 7f
    # The bases of FS and of GS: that one is what user mode will have.
6:  mov rbx, rdx
    mov rdx, rax
    shr rdx, 32
    mov ecx, {msr_fs_base}
    wrmsr
    swapgs
    mov gs, r11d
    swapgs
    mov eax, ebx
    mov rdx, rbx
    shr rdx, 32
    mov ecx, {msr_kernel_gs_base}
    wrmsr
    mov qword ptr gs:[{gdt_tls}], 0
    jmp 8f
7:  mov gs:[{gdt_tls}], rbx
    swapgs
    mov gs, r11d
    swapgs
8:  mov rax, r10
    jmp {leave}
.text
