#!/usr/bin/env escript
%% Plays scripts on Erlang's own supervisor. One term a line comes in, `{Fails, Tree, Steps}.`; one line goes out: what was
%% seen after the start, after each step, and after the end of the tree, separated by " | ".
-mode(compile).
-behaviour(supervisor).
-export([init/1, start_supervisor/2, start_worker/1]).

main(_) ->
    logger:set_primary_config(level, none),
    process_flag(trap_exit, true),
    register(watcher, spawn(fun() -> watch([]) end)),
    ets:new(world, [named_table, public]),
    ets:new(events, [named_table, public, ordered_set]),
    io:format("~s~n", [erlang:system_info(otp_release)]),
    next().

next() ->
    case io:read('') of
        {ok, Script} -> io:format("~s~n", [lists:join(" | ", play(Script))]), next();
        eof -> ok
    end.

play({Fails, {Id, Tree}, Steps}) ->
    ets:delete_all_objects(world),
    ets:delete_all_objects(events),
    [step({fail, Name, 1, []}) || Name <- Fails],
    case start_supervisor(Id, Tree) of
        {ok, Root} ->
            Begin = seen(Root, []),
            Middle = [seen(Root, step(Step)) || Step <- Steps],
            exit(Root, shutdown),
            receive {'EXIT', Root, _} -> ok end,
            [Begin | Middle] ++ [seen(Root, [])];
        {error, _} ->
            receive {'EXIT', _, _} -> ok after 0 -> ok end,
            Refused = ["refused; " | events()],
            ended(),
            [Refused]
    end.

%% ---- What a step does

step({fail, Name, Times, Meanwhile}) -> ets:insert(world, {{fails, Name}, Times, Meanwhile}), [];
step({pass, Seconds}) ->
    [catch sys:replace_state(Pid, fun(State) -> older(State, Seconds) end) || {{supervisor, _}, Pid} <- ets:tab2list(world)],
    [];
step({Supervisor, Happenings}) ->
    case pid({supervisor, Supervisor}) of
        none -> [gone || Happening <- Happenings, element(1, Happening) =/= exit];
        Pid ->
            %% All of it is in the mailbox before the supervisor looks.
            sys:suspend(Pid),
            Asked = [happen(Pid, Happening) || Happening <- Happenings],
            sys:resume(Pid),
            [answer(Request) || Request <- Asked, Request =/= none]
    end.

happen(Supervisor, {exit, Name, Reason}) ->
    case pid({worker, Name}) of
        none -> none;
        Pid -> Pid ! {leave, Reason}, arrived(Supervisor, Pid), none
    end;
happen(Supervisor, {start, dynamic, Name}) -> ask(Supervisor, {start_child, [Name]});
happen(Supervisor, {start, Child}) -> ask(Supervisor, {start_child, specification(Child)});
happen(Supervisor, {terminate, dynamic, Name}) ->
    case pid({worker, Name}) of
        none -> not_found;
        Pid -> ask(Supervisor, {terminate_child, Pid})
    end;
happen(Supervisor, {terminate, Name}) -> ask(Supervisor, {terminate_child, Name});
happen(Supervisor, {restart, Name}) -> ask(Supervisor, {restart_child, Name});
happen(Supervisor, {delete, Name}) -> ask(Supervisor, {delete_child, Name}).

ask(Supervisor, Request) -> gen_server:send_request(Supervisor, Request).

arrived(Supervisor, Pid) ->
    {messages, Messages} = process_info(Supervisor, messages),
    case lists:any(fun({'EXIT', From, _}) -> From =:= Pid; (_) -> false end, Messages) of
        true -> ok;
        false -> erlang:yield(), arrived(Supervisor, Pid)
    end.

answer(not_found) -> not_found;
answer(Request) ->
    case gen_server:wait_response(Request, infinity) of
        {reply, ok} -> ok;
        {reply, {ok, _}} -> ok;
        {reply, {error, {already_started, _}}} -> already_started;
        {reply, {error, simple_one_for_one}} -> dynamic;
        {reply, {error, Reason}} when Reason =:= running; Reason =:= restarting; Reason =:= not_found; Reason =:= already_present -> Reason;
        {reply, {error, _}} -> failed;
        {error, _} -> gone
    end.

%% A supervisor keeps the times of its restarts, in seconds, as the one list of numbers in its state.
older(State, Seconds) ->
    list_to_tuple([age(Field, Seconds) || Field <- tuple_to_list(State)]).
age([First | _] = Times, Seconds) when is_integer(First) -> [Time - Seconds || Time <- Times];
age(Field, _) -> Field.

%% ---- What is seen

seen(Root, Answers) ->
    Tree = settled(Root),
    io_lib:format("~s; ~s; ~s; ~s", [lists:join(" ", [atom_to_list(A) || A <- Answers]), events(), Tree, ended()]).

%% The tree once nothing is about to happen in it.
settled(Root) ->
    case is_process_alive(Root) of
        false -> "";
        true ->
            try tree(Root)
            catch _:_ -> erlang:yield(), settled(Root)
            end
    end.

tree(Supervisor) ->
    Children = lists:reverse(supervisor:which_children(Supervisor)),
    Names = [child(Child) || Child <- Children],
    lists:join(" ", case Children of [{undefined, _, _, _} | _] -> lists:sort(Names); _ -> Names end).

child({Id, undefined, _, _}) -> [atom_to_list(Id), "-"];
child({Id, Pid, Type, _}) when is_pid(Pid) ->
    true = is_process_alive(Pid),
    case Type of
        worker -> [name(Id, Pid), "+"];
        supervisor -> [atom_to_list(Id), "+(", tree(Pid), ")"]
    end.

name(undefined, Pid) ->
    [Name] = [Name || {{worker, Name}, P} <- ets:tab2list(world), P =:= Pid],
    atom_to_list(Name);
name(Id, _) -> atom_to_list(Id).

events() ->
    Events = [Text || {_, Text} <- ets:tab2list(events)],
    ets:delete_all_objects(events),
    lists:join(" ", Events).

event(Sign, Name) ->
    ets:insert(events, {erlang:unique_integer([monotonic]), [Sign, atom_to_list(Name)]}).

%% The supervisors that ended since the last look, with their reasons.
ended() ->
    watcher ! {ended, self()},
    receive {ended, Texts} -> lists:join(" ", lists:sort(Texts)) end.

%% Knows how each supervisor ended; a supervisor registers before it starts its children.
watch(Watched) ->
    receive
        {watch, Pid, Id} ->
            Pid ! watched,
            watch([{Pid, Id, monitor(process, Pid)} | Watched]);
        {ended, From} ->
            {Living, Dead} = lists:partition(fun({Pid, _, _}) -> is_process_alive(Pid) end, Watched),
            From ! {ended, [ending(Id, Ref) || {_, Id, Ref} <- Dead]},
            watch(Living)
    end.

ending(Id, Ref) ->
    receive {'DOWN', Ref, process, _, Reason} -> lists:flatten([atom_to_list(Id), " ", reason(Reason)]) end.

reason({shutdown, _}) -> "shutdown";
reason(Reason) when is_atom(Reason) -> atom_to_list(Reason);
reason(_) -> "crashed".

pid(Key) ->
    case ets:lookup(world, Key) of
        [{_, Pid}] -> case is_process_alive(Pid) of true -> Pid; false -> none end;
        [] -> none
    end.

%% ---- The tree

start_supervisor(Id, Tree) -> supervisor:start_link(?MODULE, {Id, Tree}).

init({Id, {Strategy, Intensity, Period, AutoShutdown, Children}}) ->
    ets:insert(world, {{supervisor, Id}, self()}),
    watcher ! {watch, self(), Id},
    receive watched -> ok end,
    Flags = #{strategy => Strategy, intensity => Intensity, period => Period, auto_shutdown => AutoShutdown},
    {ok, {Flags, [specification(Child) || Child <- Children]}}.

specification({dynamic, Restart, Significant}) ->
    #{id => dynamic, start => {?MODULE, start_worker, []}, restart => Restart, significant => Significant};
specification({Id, Restart, Significant}) ->
    #{id => Id, start => {?MODULE, start_worker, [Id]}, restart => Restart, significant => Significant};
specification({Id, Restart, Significant, Tree}) ->
    #{id => Id, start => {?MODULE, start_supervisor, [Id, Tree]}, restart => Restart, significant => Significant, type => supervisor}.

start_worker(Name) ->
    case ets:lookup(world, {fails, Name}) of
        [{_, Times, Meanwhile}] when Times > 0 ->
            ets:insert(world, {{fails, Name}, Times - 1, Meanwhile}),
            event("?", Name),
            [meanwhile(self(), Happening) || Happening <- Meanwhile],
            {error, refused};
        _ ->
            Supervisor = self(),
            Pid = spawn_link(fun() ->
                process_flag(trap_exit, true),
                Supervisor ! {self(), ready},
                worker(Name)
            end),
            receive {Pid, ready} -> ok end,
            ets:insert(world, {{worker, Name}, Pid}),
            event("+", Name),
            {ok, Pid}
    end.

%% In the mailbox of the supervisor before it goes on. No answer is looked at.
meanwhile(Supervisor, {exit, _, _} = Exit) -> happen(Supervisor, Exit);
meanwhile(Supervisor, Command) ->
    {Asking, Ref} = spawn_monitor(fun() -> happen(Supervisor, Command) end),
    receive {'DOWN', Ref, process, Asking, _} -> ok end.

worker(Name) ->
    receive
        {leave, crashed} -> exit(crashed);
        {leave, Reason} -> exit(Reason);
        {'EXIT', _, Reason} -> event("-", Name), exit(Reason)
    end.
