"""Artifacts: versions, collections, types, and which runs logged and used them.

version      `Artifact`
place        where a version was made and linked into
contents     its files, which are at W&B
versions     `Artifacts`, `RunArtifacts`, one by its name
collection   `ArtifactCollection`
collections  `ArtifactType`, and lists of types and collections
lineage      what the warehouse stores of versions and edges
together     asking once for versions that were listed together
"""
