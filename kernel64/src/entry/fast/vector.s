# ---- The use of vector registers by the thread whose state they hold -------------------------------------------------

# Entered by the gate of #NM: RSP = frame on the empty kernel stack, all registers the user's. The thread's gates are closed while it has that right; a host's
# are other gates. Whose state has to be loaded first, and whatever does not come from a user's code, goes to the stub with everything as it came.

.globl lilliput_device_not_available
.type lilliput_device_not_available, @function
.balign 64
lilliput_device_not_available:
    test byte ptr [rsp + 8], 3
    jz {device_stub}
    test dword ptr [rsp + 2 * 8], {virtual_8086}
    jnz {device_stub}
    swapgs
    push rax
    mov rax, gs:[{current}]
    cmp eax, gs:[{vector_owner}]
    jne 8f
    cmp byte ptr [rax + {kind}], {kind_host}
    je 8f
    clts
    mov byte ptr gs:[{vector_enabled}], 1
    mov dword ptr [rax + {gate_places}], 0
    mov dword ptr [rax + {gate_home}], {nowhere}
    mov dword ptr [rax + {foreign_gate}], {nowhere}
    pop rax
    and dword ptr [rsp + 2 * 8], {user_flags}
    swapgs
    iretq
8:  pop rax
    swapgs
    jmp {device_stub}
.text
