# timbretree serve, with the model inside; docs/installing.md says how to run it.
FROM python:3.11-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.11-slim
COPY constraints.txt /tmp/constraints.txt
COPY --from=build /wheels /tmp/wheels
RUN pip install --no-cache-dir -c /tmp/constraints.txt \
        "timbretree[serve,formats,tags] @ file://$(ls /tmp/wheels/*.whl)" \
    && rm -r /tmp/wheels /tmp/constraints.txt \
    && useradd --uid 10001 --user-group --create-home listener \
    && install -d -o listener -g listener /data /music
ENV PYTHONUNBUFFERED=1 XDG_DATA_HOME=/data
USER 10001:10001
VOLUME ["/data"]
EXPOSE 8765
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import http.client, os, sys; server = http.client.HTTPConnection('127.0.0.1', 8765, timeout=5); server.request('GET', '/api/health', headers={'Authorization': 'Bearer ' + os.environ['TIMBRETREE_TOKEN']}); sys.exit(server.getresponse().status != 200)"]
ENTRYPOINT ["timbretree"]
# beyond this machine it starts with a token only: docker run -e TIMBRETREE_TOKEN=...
CMD ["serve", "--host", "0.0.0.0", "--port", "8765"]
