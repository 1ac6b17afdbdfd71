# The operator and what it needs, with the extra `notify`, without `cli`. Build: docker build -t jitaccess:0.1.0 .
FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv --without-pip /opt/jitaccess
COPY pyproject.toml requirements-dev.txt README.md LICENSE ./
COPY operator operator
COPY crds crds
# The versions that the tests ran with; hashes cannot be had for the project itself, so they are left out here.
RUN sed -n 's/^\([A-Za-z0-9._-]*==[^ ;\\]*\).*/\1/p' requirements-dev.txt > /tmp/constraints.txt \
    && pip --python /opt/jitaccess/bin/python install --no-cache-dir --constraint /tmp/constraints.txt '.[notify]'

FROM python:3.13-slim
# Nothing writes at run time, not even bytecode: the root filesystem may be read-only.
ENV PATH=/opt/jitaccess/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
RUN groupadd --gid 65532 jitaccess \
    && useradd --uid 65532 --gid 65532 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin jitaccess
COPY --from=build /opt/jitaccess /opt/jitaccess
USER 65532:65532
ENTRYPOINT ["jitaccess"]
CMD ["run"]
