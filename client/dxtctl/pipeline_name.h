#pragma once
#include <string>

#include "client/dxtctl/invocation.h"

namespace dxt::ctl {

/// True for what is meant as a document: "-", an existing file, a name that ends in
/// .yaml, .yml or .json.
bool IsDocumentArgument(const std::string& text);

/// "projects/{project}/pipelines/{pipeline}" of loaded documents. Without a pipeline
/// document, `name` is taken as a pipeline's name; "" = "-", every pipeline of the
/// project.
Result<std::string> PipelineResourceName(Daemon& daemon, const Documents& documents,
                                         const std::string& name);

}  // namespace dxt::ctl
