// Tasks: pictures handed in for later, their history, their results.
import { authorization, events, get, patient, post } from "./api.js";
import { byId, h, iconButton } from "./dom.js";
import { server } from "./options.js";
import { save } from "./results.js";
import { queriesOf, state } from "./state.js";
import { bytes, t } from "./strings.js";

const AT_ONCE = 3;
const LOOK_AGAIN = 1500;
const SHOWN = 200;

let following = new AbortController();
const names = new Map();

export function start() {
  const dialog = byId("tasks-dialog");
  byId("show-tasks").addEventListener("click", () => {
    dialog.showModal();
    follow();
  });
  dialog.addEventListener("close", () => following.abort());
  byId("send-tasks").addEventListener("click", send);
}

/** Hands in every picture of the list with its settings. */
async function send() {
  const button = byId("send-tasks");
  button.disabled = true;
  const items = [...state.items];
  let sent = 0;
  let failure = "";
  const next = async () => {
    for (let item; (item = items.shift()); ) {
      for (const query of queriesOf(item)) {
        try {
          const { blob } = await patient(() => post(`upload?${query}`, item.file));
          names.set(JSON.parse(await blob.text()).task_id, item.name);
          byId("tasks-state").textContent = t.tasksSent(++sent);
        } catch (error) {
          failure = `${item.name}: ${error.message}`;
        }
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
  if (failure) byId("tasks-state").textContent += ` ${failure}`;
  button.disabled = false;
  follow();
}

/** Shows the tasks while the dialog is open: by the events of the one at work, else by looking again. */
async function follow() {
  following.abort();
  following = new AbortController();
  const { signal } = following;
  byId("send-tasks").hidden = !server.tasks || !state.items.length;
  while (!signal.aborted) {
    let tasks;
    try {
      ({ tasks } = await get("tasks", { signal }));
    } catch (error) {
      if (error.name !== "AbortError") byId("tasks-state").textContent = server.tasks ? error.message : t.tasksOff;
      return;
    }
    draw(tasks);
    const running = tasks.find((task) => task.status === "processing") ?? tasks.find((task) => task.status === "queued");
    if (!running) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN));
      continue;
    }
    try {
      for await (const task of events(`status/${running.task_id}/events`, signal)) drawState(task);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN)); // closed, or the server is away
    }
  }
}

function draw(tasks) {
  const body = byId("tasks-body");
  if (!tasks.length) {
    body.replaceChildren(h("p", { class: "soft" }, t.tasksNone));
    return;
  }
  const newest = tasks.slice(-SHOWN).reverse();
  body.replaceChildren(h("table", {},
    h("thead", {}, h("tr", {}, t.taskColumns.map((name) => name ? h("th", { scope: "col" }, name) : h("td", {})))),
    h("tbody", {}, newest.map((task) => h("tr", { id: `task-${task.task_id}` },
      h("td", {}, names.get(task.task_id) ?? task.task_id.slice(0, 8)),
      h("td", {}, new Date(task.submitted).toLocaleTimeString("en")),
      h("td", { class: `task-state ${task.status}`, title: task.message ?? "" }, t.taskState(task)),
      h("td", {}, task.result_bytes ? t.totalBytes(task.source_bytes, task.result_bytes) : bytes(task.source_bytes)),
      h("td", {},
        task.status === "done" && iconButton("download", t.actionOf(t.download, task.task_id.slice(0, 8)), () => download(task)),
        iconButton("close", t.actionOf(t.remove, task.task_id.slice(0, 8)), () => discard(task))))))));
}

function drawState(task) {
  const cell = byId(`task-${task.task_id}`)?.querySelector(".task-state");
  if (cell) Object.assign(cell, { textContent: t.taskState(task), className: `task-state ${task.status}` });
}

async function download(task) {
  const response = await fetch(`result/${task.task_id}`, { headers: authorization() });
  if (response.ok) save(await response.blob(), `${(names.get(task.task_id) ?? task.task_id).replace(/\.[^.]*$/, "")}.${task.format === "jpeg" ? "jpg" : task.format}`);
}

async function discard(task) {
  await get(`status/${task.task_id}`, { method: "DELETE" }).catch(() => {});
  follow();
}
