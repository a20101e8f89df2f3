/* auto.h: the algorithm that chooses among the others. Private to the room. */
#ifndef TG_AUTO_H
#define TG_AUTO_H

#include "primitives/primitives.h"

extern const tg_algorithm tg_engine_auto;

#endif
