/* The goal of a build: the step at the end of the longest chain of prerequisites. */
#include <stdlib.h>

#include "base/mem.h"
#include "views/model.h"

struct frame {
    uint32_t step, next;
};

/* Steps in the longest chain below each, itself included; depth first without recursion. A cycle,
 * which only a damaged journal has, is passed over. */
static void find_depths(const struct model *model, uint32_t *depths)
{
    VEC(struct frame) stack = {0};
    for (uint32_t root = 0; root < model->steps.len; root++) {
        if (!depths[root])
            vec_push(&stack, (struct frame){root, 0});
        while (stack.len) {
            struct frame *top = &stack.at[stack.len - 1];
            const struct model_step *step = &model->steps.at[top->step];
            if (!top->next)
                depths[top->step] = 1;
            else { /* back from one */
                uint32_t below = depths[model->links.at[step->needs + top->next - 1]];
                if (below >= depths[top->step])
                    depths[top->step] = below + 1;
            }
            if (top->next == step->needs_count) {
                stack.len--;
                continue;
            }
            uint32_t need = model->links.at[step->needs + top->next++];
            if (!depths[need])
                vec_push(&stack, (struct frame){need, 0});
        }
    }
    vec_free(&stack);
}

void model_find_goal(struct model *model)
{
    uint32_t *depths = mem_zero(model->steps.len + 1, sizeof *depths);
    bool *needed = mem_zero(model->steps.len + 1, sizeof *needed);
    uint32_t goal = MODEL_NONE;
    find_depths(model, depths);
    for (uint32_t i = 0; i < model->steps.len; i++)
        for (uint32_t j = 0; j < model->steps.at[i].needs_count; j++)
            needed[model->links.at[model->steps.at[i].needs + j]] = true;
    for (uint32_t i = 0; i < model->steps.len; i++) {
        const struct model_step *step = &model->steps.at[i];
        if (needed[i] || depths[i] < 2)
            continue;
        if (goal == MODEL_NONE || depths[i] > depths[goal] ||
            (depths[i] == depths[goal] && step->stage >= model->steps.at[goal].stage))
            goal = i;
    }
    model->goal = goal;
    free(needed);
    free(depths);
}
