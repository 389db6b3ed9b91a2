"""SHA-256 of istioctl's release archives, so that a mirror needs nobody else's word.

They are what package indexes (hermit, aqua, and others) recorded from Istio's release page: each
index agrees with every other one that has the archive. A wrong one would refuse a download, and
never let one pass. A new pinned version gets its rows here.
"""

from __future__ import annotations

_AS_SHA256SUM_PRINTS_THEM = """\
7b8559fb0a91466a3ff726ad291bedbcf5e4a24f1d9108dbe51a99e11f2010c8  istioctl-1.30.3-linux-amd64.tar.gz
58102643b66d49232a51fdd130f5a207e9e1b40ef1230930b016bdeb41261560  istioctl-1.30.3-linux-arm64.tar.gz
ba7bbba3a07cdc9acad26616d089c497d2d043eb72621ed2ab5c771f56daec2b  istioctl-1.30.3-osx.tar.gz
b52f492e6c2306c9d209d2a30534e546c63f2623d6c150f0153c566c819299f0  istioctl-1.30.3-osx-arm64.tar.gz
7d657367ab702d6fca03a1db626559435a10debc621fab5259d277e2822ed53e  istioctl-1.30.2-linux-amd64.tar.gz
e0b437ec604a813df2cdc3c1f4dfb409d6ddce10079ae59df6bd463399b12a93  istioctl-1.30.2-linux-arm64.tar.gz
59a5ee270389b5ad9ef827c1b155b7ff247aed00b08d640ea1f3705ab1de0ed9  istioctl-1.30.2-osx.tar.gz
508b213e58c08080ff1b6d4d9ef3aaf10e53192c78bdbc5765ec595a2ca760c5  istioctl-1.30.2-osx-arm64.tar.gz
80b1b61d3052dac657ae0921dc58e65ee33619ab2e8fd8f796f17af29669f71b  istioctl-1.28.2-linux-amd64.tar.gz
3a68800633dc92bd1799b100faf0516030460a76230ba575aa6ec9cfcb1d435a  istioctl-1.28.2-linux-arm64.tar.gz
19eeb2c9bd25de035a9fb321ff071ba7a775851314674f49f3935676ea4171f7  istioctl-1.28.2-osx.tar.gz
bd3fbc18a66bd6a59f7c2ca16415ebf4cafc4bb3ff1f524f259be7f735beea73  istioctl-1.28.2-osx-arm64.tar.gz
"""

KNOWN = {
    name: checksum for checksum, name in map(str.split, _AS_SHA256SUM_PRINTS_THEM.splitlines())
}
"""The checksum of an archive, by its name."""
