/* Everything of base/, the leftmost room. */
#ifndef PP_BASE_BASE_H
#define PP_BASE_BASE_H

#include "base/doc.h"
#include "base/file.h"
#include "base/knob.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/rng.h"
#include "base/status.h"
#include "base/term.h"

#endif
