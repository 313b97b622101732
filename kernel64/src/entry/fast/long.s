# ---- Messages of up to eight words between 64-bit tasks -----------------------------------------------------------

# Words 4-7 pass through in R8, R9, R10 and R12. R13 = capability, R14 = endpoint, R15 = the other thread: words 8-10, which the message
# does not have, and which are zero afterwards.

.macro LEAVE_LONG
    ROOT_IF_OTHER other=r15
    STAGE exit
    mov rcx, [r15 + {ip}]
    mov r11d, {flags}
    mov rsp, [r15 + {sp}]
    xor r13d, r13d
    xor r14d, r14d
    xor r15d, r15d
    swapgs
    sysretq
.endm

lilliput_long:
    cmp dx, {long_words}
    ja lilliput_gate64
    # Less the uppermost bit.
    lea r11d, [rax - {long}]
    cmp r11d, [rsp + {gate_places}]
    jae 1f
    STAGE capability
    mov r13d, r11d
    shl r13d, 4
    add r13, [rsp + {capabilities}]
    movsxd r14, dword ptr [r13 + {object}]
    mov r11d, [r13 + {key}]
    cmp r11d, [r14 + {endpoint_key}]
    jne 2f
    STAGE receiver
    movsxd r15, dword ptr [r14 + {queue}]
    mov r11d, [r15 + {class}]
    cmp r11d, [rsp + {peers}]
    jne 2f
    # Point of no return.
    STAGE commit
    mov dword ptr [r14 + {queue}], {nobody}
    mov [r15 + {caller}], esp
    mov [rsp + {server}], r15d
    mov gs:[{current}], r15
    EXCHANGE other=r15, keep=r11d
    mov eax, [r13 + {badge}]
    LEAVE_LONG
1:  cmp r11d, {reply_receive}
    jne lilliput_gate64
    STAGE home
    movsxd r14, dword ptr [rsp + {gate_home}]
    cmp dword ptr [r14 + {queue}], {nobody}
    jne 2f
    STAGE receiver
    movsxd r15, dword ptr [rsp + {caller}]
    mov r11d, [r15 + {class}]
    cmp r11d, [rsp + {peers}]
    jne 2f
    # Point of no return.
    STAGE commit
    mov [r14 + {queue}], esp
    mov dword ptr [rsp + {caller}], {nobody}
    mov gs:[{current}], r15
    EXCHANGE other=r15, keep=r11d
    xor eax, eax
    LEAVE_LONG
2:  xor r13d, r13d
    xor r14d, r14d
    xor r15d, r15d
    jmp lilliput_gate64
