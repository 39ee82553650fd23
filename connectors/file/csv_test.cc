#include "connectors/file/file_fixture.h"
