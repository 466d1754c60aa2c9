/*
 * The drawings of a model's diagrams. A ladder goes through struct ladder, which traces are drawn
 * with, too.
 */
#ifndef CYGNET_MODEL_DIAGRAM_DRAW_H
#define CYGNET_MODEL_DIAGRAM_DRAW_H

#include "model/arena.h"
#include "model/canvas.h"
#include "model/ladder.h"
#include "model/model.h"

void boxes_draw(const struct model *model, const struct model_boxes *boxes, struct canvas *canvas);
void machine_draw(const struct model_machine *machine, struct canvas *canvas);

/* A ladder and what it is made of; sheet_fini() also after a failure. */
struct ladder_sheet {
    struct arena arena;
    struct ladder ladder;
};

MUST_USE bool ladder_sheet_build(const struct model *model, const struct model_diagram *diagram,
                                 struct ladder_sheet *ret);
void ladder_sheet_fini(struct ladder_sheet *sheet);

/* "Nonce, Key Exchange", or "E(IKEsa, Auth Data)" for a message under an association; "" for one
 * that carries nothing in clear. In the arena; NULL: no memory. */
const char *message_notation(const struct model *model, const struct model_message *message,
                             struct arena *arena);

/* "on DCCP-Response; sends DCCP-Ack"; in the arena; NULL: no memory. */
const char *transition_text(const struct model *model, const struct model_transition *transition,
                            struct arena *arena);

#endif
