# dqn_tf and all that it needs, at the versions and hashes of requirements/. docs/docker.md tells how it is used.
#   docker build --tag dqn_tf .                     CPU
#   docker build --tag dqn_tf:gpu --target gpu .    with the CUDA libraries; the host brings the driver alone
# BASE_IMAGE: a Debian or Ubuntu whose python3 is 3.11, 3.12 or 3.13.
ARG BASE_IMAGE=debian:12-slim

FROM ${BASE_IMAGE} AS base
RUN export DEBIAN_FRONTEND=noninteractive \
    && apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3 python3-venv \
    && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log \
    && install --directory --owner 1000 --group 1000 /data
WORKDIR /opt/dqn_tf
COPY pyproject.toml README.md LICENSE ./
COPY requirements/ requirements/
COPY reproduce/setup_env.sh reproduce/
COPY docker/ docker/
# HOME can be written to by whatever user the container is run as; DQN_TF_OUTPUT is where runs/ and results/ go.
ENV DQN_TF_OUTPUT=/data \
    HOME=/tmp \
    KERAS_BACKEND=tensorflow \
    LC_ALL=C.UTF-8 \
    PATH=/opt/dqn_tf/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    TF_CPP_MIN_LOG_LEVEL=2 \
    USER=dqn
VOLUME /data
ENTRYPOINT ["/opt/dqn_tf/docker/entrypoint.sh"]
CMD ["dqn-tf", "--help"]

# How a package index is reached is the builder's affair: both secrets may be missing, and neither stays in the image.
FROM base AS gpu
RUN --mount=type=secret,id=pip_conf --mount=type=secret,id=ca_bundle docker/install.sh gpu
COPY . .
RUN .venv/bin/python -m compileall -q dqn_tf reproduce
ENV CUDA_VISIBLE_DEVICES=0 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 1000:1000

FROM base AS cpu
RUN --mount=type=secret,id=pip_conf --mount=type=secret,id=ca_bundle docker/install.sh base
COPY . .
RUN .venv/bin/python -m compileall -q dqn_tf reproduce
USER 1000:1000
