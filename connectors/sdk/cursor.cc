#include "connectors/sdk/cursor.h"
