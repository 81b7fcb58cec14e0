/** Why a run or a batch ended early, in a sentence, and what to do about it, by the code of its failure. */

const REASONS = {
  limit_rounds: ["The model asked for tools more often than the limit of rounds allows.",
    "Give the run more rounds, or say in the prompt when the model should stop looking."],
  limit_calls_per_round: ["The model asked for too many tools at once.",
    "Raise the limit of calls per round, or ask for less in one prompt."],
  limit_calls: ["The run made as many tool calls as a run may make.", "Split the task into several runs."],
  limit_call_bytes: ["The arguments of one round were too large.", "Ask for less at once, or pass references instead of texts."],
  limit_seconds: ["The run was not done in time.",
    "Raise the limit of seconds, or look in the timeline at what took so long."],
  limit_tokens: ["The run used more tokens than its limit allows.", "Raise the limit of tokens, or use shorter inputs."],
  limit_usd: ["The run cost more than its limit allows.", "Raise the limit in dollars, or choose a model that costs less."],
  upstream_error: ["The model's server could not be reached, or kept failing.",
    "Retry the run. If it fails again, look at the status page of the server."],
  server_error: ["The model's server failed repeatedly.", "Retry the run; tools that have answered are not called again."],
  rate_limit_exceeded: ["The model's server was asked too often, or the quota of the account is used up.",
    "Retry later, start fewer runs at once, or raise the account's limits."],
  insufficient_quota: ["The account at the model's server has no credit left.", "Add credit to the account, then retry the run."],
  RequestRejected: ["The model's server rejected the request.",
    "Read its words below: usually a model, a schema or a field that it does not know. Correct that and start a new run."],
  InvalidSecret: ["A secret of the stack is empty or malformed.", "Correct the secret that is named below, then retry the run."],
  TransientError: ["A service was not available, also when asked again.", "Retry the run."],
  refusal: ["The model refused.", "Read its words below, and change the prompt or the instructions."],
  no_message: ["The model ended its turn without a message.", "Retry the run, or say in the prompt what the answer should be."],
  content_filter: ["The model's server held back the answer because of its content rules.", "Change the prompt."],
  max_output_tokens: ["The answer needed more tokens than one turn may have.",
    "Raise the maximum of output tokens, or ask for a shorter answer."],
  call_id: ["The model's server sent tool calls that cannot be told apart.", "Retry the run. If it happens again, use another run API."],
  unknown_status: ["The model's server sent a status that is not known here.", "Use another run API, or update the stack."],
  unsupported_action: ["The model wanted something other than calling functions.", "Use a model or an assistant without built-in tools."],
  Timeout: ["A step of the workflow ran out of time.", "Retry the run. If it happens again, look at the logs of the stack."],
  cancelled: ["The run was cancelled on request.", "Retry it if it is needed after all."],
  execution_aborted: ["Somebody stopped the execution of the run.", "Retry the run if it is needed."],
  execution_timed_out: ["The execution took longer than the workflow allows.", "Start a new run with less to do."],
  execution_failed: ["The execution of the workflow failed.", "Retry the run, and look at the logs of the stack."],
  execution_succeeded: ["The execution ended before the run had ended.", "Retry the run, and look at the logs of the stack."],
  expired: ["The run expired at the model's server.", "Retry the run."],
  invalid_input: ["The inputs of the batch could not be read.", "Correct the file, and send the batch again."],
  budget_usd: ["The budget of the batch is used up.", "Send the lines that are left with a larger budget."],
  no_price: ["The price of a model is not known, so the budget could not be kept.", "Add the price, or send the batch without a budget."],
  tolerated_failures: ["More lines failed than the batch tolerates.", "Look at the failures in its results before sending the rest again."],
};

const BY_STATUS = {
  cancelled: ["This was cancelled.", "Retry it if it is needed after all."],
  expired: ["The run expired.", "Retry the run."],
  incomplete: ["The answer is not complete.", "Read the reason below, and ask for less or raise a limit."],
};

const OTHERWISE = ["It ended with an error.", "Read its message below. If it tells you nothing, look at the logs of the stack."];

/** `[why, what to do]` for a failure with a status, a code and a message. */
export function explain(failure) {
  const { code, status } = failure;
  if (Object.hasOwn(REASONS, code)) return REASONS[code];
  if (/^(Lambda|Runtime|Sandbox)\./.test(code)) {
    return ["A function of the stack could not finish.", "Retry the run. If it happens again, look at its log: it may lack time or memory."];
  }
  return Object.hasOwn(BY_STATUS, status) ? BY_STATUS[status] : OTHERWISE;
}
