// Works with servers as an application of the TypeScript SDK would, and prints what it has seen of each.
// node --input-type=module --eval "$(cat typescript.mjs)" 1|2-legacy|2-modern URL..., where the packages are installed.
const [which, ...urls] = process.argv.slice(1);
const first = which === "1";
const { Client } = await import(first ? "mcp-sdk-1/client/index.js" : "@modelcontextprotocol/client");
const { StreamableHTTPClientTransport } = await import(
  first ? "mcp-sdk-1/client/streamableHttp.js" : "@modelcontextprotocol/client"
);
const types = first ? await import("mcp-sdk-1/types.js") : undefined;

const modern = which === "2-modern";

for (const url of urls) {
  const seen = { progress: [], log: [] };
  const options = { capabilities: { elicitation: {}, sampling: {}, roots: { listChanged: true } } };
  if (modern) options.versionNegotiation = { mode: { pin: "2026-07-28" } };
  const client = new Client({ name: "typescript", version: "1" }, options);

  const elicited = async () => ({ action: "accept", content: { response: "me" } });
  const sampled = async () => ({ role: "assistant", model: "none", content: { type: "text", text: "Paris" } });
  const updated = new Promise((resolve) => {
    const tell = (told) => resolve(told.params.uri);
    if (first) {
      client.setRequestHandler(types.ElicitRequestSchema, elicited);
      client.setRequestHandler(types.CreateMessageRequestSchema, sampled);
      client.setNotificationHandler(types.LoggingMessageNotificationSchema, (told) => void seen.log.push(told.params.data));
      client.setNotificationHandler(types.ResourceUpdatedNotificationSchema, tell);
    } else {
      client.setRequestHandler("elicitation/create", elicited);
      client.setRequestHandler("sampling/createMessage", sampled);
      client.setNotificationHandler("notifications/message", (told) => void seen.log.push(told.params.data));
      client.setNotificationHandler("notifications/resources/updated", tell);
    }
  });

  const transport = new StreamableHTTPClientTransport(new URL(url));
  await client.connect(transport);
  seen.version = modern ? client.getNegotiatedProtocolVersion() : transport.protocolVersion;
  seen.tools = (await client.listTools()).tools.map((tool) => tool.name);
  const call = async (name, given = {}, options = undefined) =>
    first
      ? await client.callTool({ name, arguments: given }, undefined, options)
      : await client.callTool({ name, arguments: given }, options);
  seen.structured = (await call("structured", { place: "Oslo" })).structuredContent;
  await call("test_tool_with_progress", {}, { onprogress: (told) => void seen.progress.push(told.progress) });
  if (!modern) await client.setLoggingLevel("info");
  const meta = modern ? { _meta: { "io.modelcontextprotocol/logLevel": "info" } } : {};
  await client.callTool({ name: "test_tool_with_logging", arguments: {}, ...meta });
  seen.asked = (await call("test_elicitation", { message: "Who?" })).content[0].text;
  seen.sampled = (await call("test_sampling", { prompt: "The capital?" })).content[0].text;
  seen.read = (await client.readResource({ uri: "test://static-text" })).contents[0].text;
  const prompt = await client.getPrompt({ name: "test_prompt_with_arguments", arguments: { arg1: "a", arg2: "b" } });
  seen.prompt = prompt.messages[0].content.text;
  const ref = { type: "ref/prompt", name: "test_prompt_with_arguments" };
  seen.completed = (await client.complete({ ref, argument: { name: "arg1", value: "par" } })).completion.values;
  const uri = "test://watched-resource";
  if (modern) await client.listen({ resourceSubscriptions: [uri] });
  else await client.subscribeResource({ uri });
  await call("touch");
  seen.updated = await updated;
  await client.close();
  console.log(JSON.stringify(seen));
}
process.exit(0);
