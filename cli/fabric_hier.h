/* fabric show of a fabric of several levels. */
#ifndef PP_CLI_FABRIC_HIER_H
#define PP_CLI_FABRIC_HIER_H

#include "cli/session.h"

pp_status pp_show_hier(pp_session *s);

#endif
