"""An app for the real worker: nothing but a plain func.FunctionApp and its own durable decorators, by the stand-in."""

# pyright: reportMissingImports=false, reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownParameterType=false, reportUntypedFunctionDecorator=false, reportUnknownArgumentType=false, reportUnusedImport=false

import durable_ext.drop_in  # noqa: F401, I001 - before the name it stands in for

import azure.durable_functions as df
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
others = func.Blueprint()


@app.route(route="orchestrators/{name}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    instance_id = await client.start_new(req.route_params["name"])
    return client.create_check_status_response(req, instance_id)


@app.orchestration_trigger(context_name="context")
def shouting(context: df.DurableOrchestrationContext):
    first = yield context.call_activity("shout", "hello")
    return (yield context.call_activity(louder, first))


@app.activity_trigger(input_name="text")
def shout(text: str) -> str:
    return text.upper()


@others.activity_trigger(input_name="text")
async def louder(text: str) -> str:
    return f"{text}!"


app.register_functions(others)
