# ---- A signal that wakes a thread of a higher priority ---------------------------------------------------------------

# The thread that entered makes way: it is the first of its priority from here on, with what is left of its turn and an answer of nothing. The one that
# waited, alone and served by nobody, runs on its own time; it has the bits as word 0, and nothing else of the other's. What this means for turns
# and for who pays is made up for at the next entry to the general path, which a second signal takes: it is told who made way, and when.

# R11D = place of a capability, which is in the table. RCX = capability, R9 = index of the endpoint with the number of the notification, R10 = who waits there.
.macro CHECK_SIGNAL general
    mov ecx, r11d
    shl ecx, 4
    add rcx, [rsp + {capabilities}]
    movsxd r9, dword ptr [rcx + {object}]
    cmp byte ptr [rcx + {key} + 5], {type_notification}
    jne \general
    test byte ptr [rcx + {key} + 4], {right_send}
    jz \general
    mov r11d, [rcx + {key}]
    cmp r11d, [r9 + {notification} + {notification_key}]
    jne \general
    cmp dword ptr [rcx + {badge}], 0
    je \general
    # Who waits, alone, and may be handed on; nobody waits for an answer of it.
    movsxd r10, dword ptr [r9 + {notification} + {waiters}]
    mov r11d, [r10 + {class}]
    cmp r11d, [rsp + {peers}]
    jne \general
    cmp dword ptr [r10 + {next}], {nobody}
    jne \general
    cmp dword ptr [r10 + {caller}], {nobody}
    jne \general
    # It outranks the one that entered, and nobody outranks it or is its equal.
    mov r11b, [r10 + {priority}]
    cmp r11b, [rsp + {priority}]
    jbe \general
    bsr r11, qword ptr gs:[{occupied}]
    jz 8f
    cmp r11b, [r10 + {priority}]
    jae \general
8:
    # It is the first signal, and the one that entered has no equals.
    cmp dword ptr gs:[{preempted}], {nobody}
    jne \general
    movzx r11d, byte ptr [rsp + {priority}]
    cmp dword ptr gs:[{ready_queues} + r11 * 8], {nobody}
    jne \general
.endm

.macro COMMIT_SIGNAL
    # Point of no return.
    mov ebx, [rcx + {badge}]
    mov dword ptr [r9 + {notification} + {waiters}], {nobody}
    mov byte ptr [r10 + {state}], {state_ready}
    mov byte ptr [rsp + {state}], {state_ready}
    mov qword ptr [rsp + {status}], 0
    mov gs:[{ready_queues} + r11 * 8], esp
    mov ecx, r11d
    mov r11d, 1
    shl r11, cl
    or gs:[{occupied}], r11
    mov gs:[{current}], r10
    rdtsc
    shl rdx, 32
    or rax, rdx
    mov gs:[{preempted}], esp
    mov gs:[{preempted_at}], rax
    .if {accounting}
    add [rsp + {user_ticks}], rax
    sub [r10 + {user_ticks}], rax
    inc qword ptr [rsp + {switches}]
    .endif
    xor eax, eax
    mov edx, 1
    xor esi, esi
    xor edi, edi
    xor ebp, ebp
.endm

# A selector less that of a signal is the place, or too large for one.
.macro IS_SIGNAL otherwise
    lea r11d, [rax - {signal}]
    cmp r11d, [rsp + {gate_places}]
    jae \otherwise
.endm

lilliput_signal32:
    cmp byte ptr [rsp + {ways}], {foreign}
    je lilliput_foreign32
    IS_SIGNAL lilliput_gate32
    CHECK_SIGNAL lilliput_general32
    COMMIT_SIGNAL
    LEAVE_SMALL lilliput_return_signal32

lilliput_signal64:
    IS_SIGNAL lilliput_gate64
    CHECK_SIGNAL lilliput_general64
    COMMIT_SIGNAL
    ROOT_IF_OTHER
    LEAVE_WIDE
