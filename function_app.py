"""The app: the samples, and one way to start them. Settings: docs/settings.md; locally: `make run`."""

from __future__ import annotations

import azure.functions as func

from durable_ext import ConfigurationError, DurableApp, DurableClient, InstanceExistsError, InvalidInputError
from examples import blob_backup, chaining, eternal, fan_out_fan_in, monitor, order_approval, parent_child

app = DurableApp()
for sample in (chaining, fan_out_fan_in, order_approval, monitor, eternal, parent_child, blob_backup):
    app.register_functions(sample.bp)


@app.route(route="orchestrators/{name}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client: DurableClient) -> func.HttpResponse:
    """Start an orchestrator with the JSON body as its input; `?instanceId=` chooses the id."""
    try:
        given = req.get_json() if req.get_body() else None
        wanted = req.params.get("instanceId")
        instance_id = await client.start(req.route_params["name"], given, instance_id=wanted)
    except InstanceExistsError as error:
        return func.HttpResponse(str(error), status_code=409)
    except (ValueError, ConfigurationError, InvalidInputError) as error:
        return func.HttpResponse(str(error), status_code=400)
    return client.create_check_status_response(req, instance_id)
