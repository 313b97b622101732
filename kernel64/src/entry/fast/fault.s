# ---- A page fault of a user's, to its task's handler, and the answer that restarts it --------------------------------------

# Entered by the gate of the exception: RSP = error code and frame on the empty kernel stack, all registers the user's. Taken if the handler waits, alone;
# anything else, exceptions of the kernel among it, goes to the stub with everything as it came. From RAX = block of the thread on this
# does what a call does, with the fault as the message.

.globl lilliput_page_fault
.type lilliput_page_fault, @function
.balign 64
lilliput_page_fault:
    test byte ptr [rsp + 2 * 8], 3
    jz {page_fault_stub}
    swapgs
    push rax
    push rcx
    push r9
    push r10
    push r11
    mov rax, gs:[{current}]
    # A handler of its own comes first; a gate that is closed says that the general path has to look at things.
    cmp qword ptr [rax + {own_handler}], 0
    jne 6f
    cmp dword ptr [rax + {gate_places}], 0
    je 8f
    movsxd rcx, dword ptr [rax + {task_handler}]
    movsxd r9, dword ptr [rcx + {object}]
    mov r11d, [rcx + {key}]
    cmp r11d, [r9 + {endpoint_key}]
    jne 8f
    movsxd r10, dword ptr [r9 + {queue}]
    mov r11d, [r10 + {class}]
    cmp byte ptr [rax + {kind}], {kind_small}
    jne 5f
    cmp r11d, [rax + {host_peer}]
    je 1f
    cmp r11d, {class_wide}
    jne 8f
1:  FAULT_REGISTERS
    FAULT_MESSAGE_SMALL
    COMMIT_CALL {caller}
    cmp byte ptr [r10 + {kind}], {kind_host}
    jne 3f
    mov rcx, [rsp + {cr3}]
    mov r9d, [rsp + {task}]
    NOTE
    LEAVE_TO_HOST
3:  LEAVE_WIDE_WITH_SEGMENTS
5:  cmp r11d, {class_wide}
    jne 8f
    cmp r11d, [rax + {peers}]
    jne 8f
51: FAULT_REGISTERS
    FAULT_REGISTERS_WIDE
    FAULT_MESSAGE_WIDE
    COMMIT_CALL {caller}
    ROOT_IF_OTHER
    LEAVE_WIDE
# Of a foreign thread its own handler is told, as of its system calls: a small one's host, or any host of a 64-bit one. What is loaded stays as it is, but for the root of a
# 64-bit one, and is noted for the host, whose caller, not guest, it is: that is answered in another way than who made a system call.
6:  cmp byte ptr [rax + {ways}], {foreign}
    jne 8f
7:  lea rcx, [rax + {own_handler} - {key}]
    movsxd r9, dword ptr [rax + {foreign_gate}]
    movsxd r10, dword ptr [r9 + {queue}]
    mov r11d, [r10 + {class}]
    cmp r11d, [rax + {host_peer}]
    je 1b
    cmp word ptr [r10 + {kind}], {plain_host}
    jne 9f
    cmp byte ptr [rax + {kind}], {kind_wide}
    jne 9f
    mov r11d, [rax + {task}]
    mov gs:[{loaded_segments}], r11d
    mov r11, [r10 + {cr3}]
    mov gs:[{loaded_cr3}], r11
    movzx r11d, byte ptr [r10 + {arena}]
    mov gs:[{loaded_arena}], r11d
    mov gs:[{loaded_segments_arena}], r11d
    jmp 51b
9:  IF_VECTORS 8f
    mov r9d, [rax + {home_endpoint}]
    mov [rax + {foreign_gate}], r9d
    jmp 7b
8:  pop r11
    pop r10
    pop r9
    pop rcx
    pop rax
    swapgs
    jmp {page_fault_stub}

# The caller's fault is answered: it goes on where it was, with all registers, by the general way out. R10 = caller, which is no plain one,
# R11D = its class but for the root.
lilliput_answer:
    cmp r11d, {faulted_small}
    jne 4f
    cmp byte ptr [r10 + {class}], {local_root}
    je lilliput_answer_local
3:  test edx, {label_mask}
    jnz lilliput_general64
    COMMIT_REPLY {caller}
    mov byte ptr [r10 + {obstacles}], {full_frame}
    # What a foreign thread calls next is a foreign call, which is not stored then; to others this means nothing.
    mov byte ptr [r10 + {raised_vector}], {foreign_vector}
    mov rcx, [r10 + {cr3}]
    cmp byte ptr [rsp + {kind}], {kind_host}
    jne 1f
    cmp rcx, gs:[{loaded_cr3}]
    je 2f
1:  mov cr3, rcx
    COUNT {cr3_writes}, 1
2:  COUNT {segment_loads}, 4
    mov rax, r10
    DESCRIPTORS
    mov ds, word ptr [rsp + {frame_ss}]
    mov es, word ptr [rsp + {frame_ss}]
    mov fs, word ptr [rsp + {frame_ss}]
    swapgs
    mov gs, word ptr [rsp + {frame_ss}]
    swapgs
    jmp {leave}
4:  cmp dword ptr [r10 + {class}], {faulted_wide}
    je 3b
# It has segments of its own: as long as they are loaded its host lets it go on, with its root and its code.
lilliput_answer_local:
    cmp byte ptr [rsp + {kind}], {kind_host}
    jne lilliput_general64
    test edx, {label_mask}
    jnz lilliput_general64
    cmp r11d, {faulted_small}
    je 1f
    cmp r11d, {faulted_wide_kind}
    jne lilliput_general64
1:  mov ecx, [r10 + {task}]
    cmp ecx, gs:[{loaded_segments}]
    jne lilliput_general64
    mov rcx, [r10 + {local}]
    cmp rcx, gs:[{loaded_local}]
    jne lilliput_general64
    mov rcx, [r10 + {local} + 8]
    cmp rcx, gs:[{loaded_local} + 8]
    jne lilliput_general64
    COMMIT_REPLY {caller}
    mov byte ptr [r10 + {obstacles}], {full_frame}
    mov byte ptr [r10 + {raised_vector}], {foreign_vector}
    mov rcx, [r10 + {cr3}]
    cmp rcx, gs:[{loaded_cr3}]
    je 2f
    mov cr3, rcx
    COUNT {cr3_writes}, 1
2:  mov rcx, [r10 + {code_descriptor}]
    mov gs:[{gdt_code}], rcx
    mov rax, r10
    jmp {leave}
.text
