// Package definition reads a project folder: which files there are, and the tree
// each holds, with positions. It knows the shape of a pipeline file and of the
// project file, but no connector and no trigger; what a step means is decided by
// engine/program.
//
// Mistakes in files are findings in Project.Diags. Only a folder that cannot be
// read at all is an error.
package definition
