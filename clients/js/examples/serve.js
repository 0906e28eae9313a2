// Serves an upload handler on a free port: serve.js express_upload|express_sharp FOLDER. Prints the port.

const [name, folder] = process.argv.slice(2);
const { createApp } = await import(`./${name}.js`);
const { app, pid } = await createApp(folder);
const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port, pid ?? 0));
