#include "daemon/log_gate.h"

bool log_gate_pass(struct log_gate *gate, mono_t now, uint64_t *ret_left_out)
{
    if (mono_since(now, gate->second) >= 1000) {
        gate->second = now;
        gate->spent = 0;
    }
    if (gate->spent >= LOG_GATE_PER_SECOND) {
        gate->left_out++;
        return false;
    }
    gate->spent++;
    *ret_left_out = gate->left_out;
    gate->left_out = 0;
    return true;
}
