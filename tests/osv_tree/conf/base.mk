conf_preempt=1
conf_greeting=1
